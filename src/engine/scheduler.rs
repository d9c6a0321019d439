//! Which node is ready, running, done or doomed: a pure state machine.

use std::collections::BTreeSet;

use super::devices::Leases;
use crate::{plan::NodeId, stage::Lease};

/// What the scheduler knows of a node.
pub(super) struct Job {
    /// What must be done first; if it is not made, neither is this.
    pub(super) needs: Vec<NodeId>,
    /// What must be over first, whatever its end.
    pub(super) after: Vec<NodeId>,
    /// What it runs on.
    pub(super) lease: Lease,
    /// Whether it keeps all its threads busy, see [`Leases`].
    pub(super) heavy: bool,
}

/// Where a node is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Something that it waits for is not over.
    Waiting,
    /// It can be done.
    Ready,
    /// It runs.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// Something that it needs failed: this node.
    Doomed(NodeId),
    /// It was stopped before it was done.
    Stopped,
}

/// The nodes of a run and their states. Who drives it takes a node of [`Scheduler::ready`], either finds it done already
/// ([`Scheduler::done`]) or, when [`Scheduler::may_start`] allows, starts it ([`Scheduler::start`]) and later tells how it ended.
pub(super) struct Scheduler {
    jobs: Vec<Job>,
    states: Vec<State>,
    leases: Leases,
}

impl Scheduler {
    /// Nodes of which none has begun; each comes after all that it waits for.
    pub(super) fn new(jobs: Vec<Job>, cores: usize) -> Self {
        debug_assert!(
            jobs.iter().enumerate().all(|(id, job)| job.needs.iter().chain(&job.after).all(|other| *other != id))
        );
        let mut scheduler = Self { states: vec![State::Waiting; jobs.len()], jobs, leases: Leases::new(cores) };
        scheduler.wake();
        scheduler
    }

    /// The nodes that can be done, in the order of the plan.
    pub(super) fn ready(&self) -> Vec<NodeId> {
        (0..self.jobs.len()).filter(|node| self.states[*node] == State::Ready).collect()
    }

    /// Where a node is.
    pub(super) fn state(&self, node: NodeId) -> State {
        self.states[node]
    }

    /// Whether nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        self.leases.is_idle()
    }

    /// Whether a ready node can have its lease now.
    pub(super) fn may_start(&self, node: NodeId) -> bool {
        let job = &self.jobs[node];
        self.states[node] == State::Ready && self.leases.is_free(job.lease, job.heavy)
    }

    /// A ready node begins to run.
    pub(super) fn start(&mut self, node: NodeId) {
        assert!(self.may_start(node), "only a ready node with a free lease starts");
        self.leases.take(self.jobs[node].lease, self.jobs[node].heavy);
        self.states[node] = State::Running;
    }

    /// A node is done: one that ran, or a ready one whose output was there.
    pub(super) fn done(&mut self, node: NodeId) {
        self.leave(node, State::Done);
    }

    /// A running node failed, and with it everything that needs it, which is returned in the order of the plan.
    pub(super) fn fail(&mut self, node: NodeId) -> Vec<NodeId> {
        self.leave(node, State::Failed);
        let mut lost = BTreeSet::from([node]);
        // One pass is enough: a node comes after all that it needs.
        for id in 0..self.jobs.len() {
            if matches!(self.states[id], State::Waiting | State::Ready)
                && self.jobs[id].needs.iter().any(|need| lost.contains(need))
            {
                self.states[id] = State::Doomed(node);
                lost.insert(id);
            }
        }
        self.wake();
        lost.remove(&node);
        lost.into_iter().collect()
    }

    /// A running node was stopped. What needs it waits for ever; the run is over soon.
    pub(super) fn stop(&mut self, node: NodeId) {
        self.leave(node, State::Stopped);
    }

    fn leave(&mut self, node: NodeId, state: State) {
        match self.states[node] {
            State::Running => self.leases.give_back(self.jobs[node].lease, self.jobs[node].heavy),
            State::Ready => {}
            other => panic!("a node that is {other:?} does not become {state:?}"),
        }
        self.states[node] = state;
        self.wake();
    }

    fn wake(&mut self) {
        for node in 0..self.jobs.len() {
            let job = &self.jobs[node];
            let over = |id: &NodeId| matches!(self.states[*id], State::Done | State::Failed | State::Doomed(_));
            if self.states[node] == State::Waiting
                && job.needs.iter().all(|id| self.states[*id] == State::Done)
                && job.after.iter().all(over)
            {
                self.states[node] = State::Ready;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::device::DeviceId;

    const CPU: Lease = Lease { device: DeviceId::Cpu, threads: 1, exclusive: false };

    fn job(needs: &[NodeId]) -> Job {
        Job { needs: needs.to_vec(), after: Vec::new(), lease: CPU, heavy: false }
    }

    #[test]
    fn a_diamond_runs_from_top_to_bottom() {
        let mut s = Scheduler::new(vec![job(&[]), job(&[0]), job(&[0]), job(&[1, 2])], 4);
        assert_eq!(s.ready(), [0]);
        s.start(0);
        assert!(s.ready().is_empty());
        s.done(0);
        assert_eq!(s.ready(), [1, 2]);
        s.start(1);
        s.start(2);
        s.done(2);
        assert!(s.ready().is_empty());
        s.done(1);
        assert_eq!(s.ready(), [3]);
        // Its output was there.
        s.done(3);
        assert!(s.is_idle() && s.ready().is_empty());
        assert_eq!(s.state(3), State::Done);
    }

    #[test]
    fn a_failure_dooms_what_needs_it_and_nothing_else() {
        let mut s = Scheduler::new(vec![job(&[]), job(&[0]), job(&[1]), job(&[]), job(&[3, 2]), job(&[3])], 4);
        s.start(0);
        s.start(3);
        assert_eq!(s.fail(0), [1, 2, 4]);
        assert_eq!(s.state(4), State::Doomed(0));
        s.done(3);
        assert_eq!(s.ready(), [5]);
        s.start(5);
        assert!(s.fail(5).is_empty());
        assert!(s.is_idle() && s.ready().is_empty());
    }

    #[test]
    fn after_waits_for_any_end() {
        let last = Job { after: vec![0, 1], ..job(&[2]) };
        let mut s = Scheduler::new(vec![job(&[]), job(&[0]), job(&[]), last], 4);
        s.start(2);
        s.done(2);
        assert_eq!(s.ready(), [0]);
        s.start(0);
        assert_eq!(s.fail(0), [1]);
        assert_eq!(s.ready(), [3], "a failed and a doomed node are over");
    }

    #[test]
    fn leases_hold_nodes_back() {
        let alone = Job { lease: Lease { exclusive: true, ..CPU }, ..job(&[]) };
        let mut s = Scheduler::new(vec![job(&[]), alone, job(&[]), job(&[])], 2);
        s.start(0);
        assert!(!s.may_start(1), "it runs alone");
        s.start(2);
        assert!(!s.may_start(3), "there are two cores");
        s.done(0);
        s.stop(2);
        assert!(s.may_start(1));
        s.start(1);
        assert!(!s.may_start(3), "something runs alone");
        s.done(1);
        assert!(s.may_start(3));
    }
}
