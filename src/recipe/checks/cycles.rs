//! Stages that wait for each other.

use super::{Diagnostic, Subject};

/// Tells every circle once, drawn by the names of its steps.
pub(super) fn check(subject: &Subject<'_>, faults: &mut Vec<Diagnostic>) {
    let steps = &subject.draft.steps;
    let before: Vec<Vec<usize>> = steps.iter().map(|step| step.before().collect()).collect();
    for circle in circles(&before) {
        // Drawn in the direction of the data, from the one that is written first.
        let names: Vec<_> = circle.iter().chain(circle.first()).map(|step| steps[*step].name.as_str()).collect();
        let mut fault = Diagnostic::error(
            "recipe::cycle",
            steps[circle[0]].span,
            format!("stages wait for each other: {}", names.join(" → ")),
        )
        .label(if circle.len() == 1 { "takes from itself" } else { "part of the circle" })
        .help("take one of these wires away");
        let mut told = vec![steps[circle[0]].span];
        for step in &circle[1..] {
            if !told.contains(&steps[*step].span) {
                told.push(steps[*step].span);
                fault = fault.related(steps[*step].span, "and this");
            }
        }
        faults.push(fault);
    }
}

/// One circle of each knot of steps that wait for each other; each step's `before` are those that it waits for.
fn circles(before: &[Vec<usize>]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = vec![State::New; before.len()];
    let mut found = Vec::new();
    for start in 0..before.len() {
        if states[start] != State::New {
            continue;
        }
        // A path and, for each of its steps, which predecessor is next: a recursion would be as deep as the recipe.
        let mut path = vec![(start, 0)];
        states[start] = State::Open;
        while let Some((step, next)) = path.last_mut() {
            let (step, at) = (*step, *next);
            *next += 1;
            let Some(&earlier) = before[step].get(at) else {
                states[step] = State::Done;
                path.pop();
                continue;
            };
            match states[earlier] {
                State::New => {
                    states[earlier] = State::Open;
                    path.push((earlier, 0));
                }
                State::Open => {
                    let begin = path.iter().position(|(step, _)| *step == earlier).unwrap_or(0);
                    let mut circle: Vec<_> = path[begin..].iter().map(|(step, _)| *step).collect();
                    // The path runs against the data.
                    circle.reverse();
                    let first = circle.iter().enumerate().min_by_key(|(_, step)| **step).map_or(0, |(at, _)| at);
                    circle.rotate_left(first);
                    // Circles that share a step are one knot; one of them is enough to see.
                    if !found.iter().flatten().any(|step| circle.contains(step)) {
                        found.push(circle);
                    }
                }
                State::Done => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::circles;

    #[test]
    fn one_of_each_knot() {
        assert!(circles(&[vec![], vec![0], vec![0, 1]]).is_empty());
        assert_eq!(circles(&[vec![0]]), [[0]]);
        // 0 → 1 → 2 → 0: 1 waits for 0, 2 for 1, 0 for 2.
        assert_eq!(circles(&[vec![2], vec![0], vec![1]]), [[0, 1, 2]]);
        assert_eq!(circles(&[vec![1], vec![0], vec![3], vec![2], vec![0]]), [[0, 1], [2, 3]]);
        let deep: Vec<Vec<usize>> = (0..50_000).map(|step: usize| step.checked_sub(1).into_iter().collect()).collect();
        assert!(circles(&deep).is_empty());
    }
}
