//! The frame of a plot: axes, grid, ticks and titles.

use super::{
    scale::Scale,
    svg::{Anchor, Svg},
};

/// The area that points are drawn in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Its left edge.
    pub(super) left: f64,
    /// Its upper edge.
    pub(super) top: f64,
    /// Its right edge.
    pub(super) right: f64,
    /// Its lower edge.
    pub(super) bottom: f64,
}

/// An axis: its scale, its title, and how its ticks are written.
pub(super) struct Axis<'a> {
    /// The scale.
    pub(super) scale: &'a Scale,
    /// What it shows, with its unit.
    pub(super) title: &'a str,
    /// Writes a tick.
    pub(super) show: &'a dyn Fn(f64) -> String,
}

/// Draws grid lines, tick labels and titles.
pub(super) fn draw(svg: &mut Svg, frame: Frame, x: &Axis<'_>, y: &Axis<'_>) {
    for &tick in y.scale.ticks() {
        let at = y.scale.at(tick);
        svg.line("grid", [frame.left, at], [frame.right, at]);
        svg.text("tick", [frame.left - 8.0, at + 4.0], Anchor::End, &(y.show)(tick));
    }
    svg.line("axis", [frame.left, frame.bottom], [frame.right, frame.bottom]);
    for &tick in x.scale.ticks() {
        let at = x.scale.at(tick);
        svg.line("axis", [at, frame.bottom], [at, frame.bottom + 4.0]);
        svg.text("tick", [at, frame.bottom + 18.0], Anchor::Middle, &(x.show)(tick));
    }
    svg.text("axis-title", [frame.right, frame.bottom + 36.0], Anchor::End, x.title);
    svg.text("axis-title", [8.0, 14.0], Anchor::Start, y.title);
}

/// Writes a count: `4,096`.
pub(super) fn whole(value: f64) -> String {
    crate::base::units::thousands(value.max(0.0).round() as u64)
}

/// Writes ticks with as many digits as tell them apart.
pub(super) fn plain(scale: &Scale) -> impl Fn(f64) -> String + use<> {
    let step = match scale.ticks() {
        [first, second, ..] => (second - first).abs(),
        _ => 1.0,
    };
    let digits = (-step.log10() - 1e-9).ceil().clamp(0.0, 6.0) as usize;
    move |tick| {
        let tick = if tick.abs() < step * 1e-6 { 0.0 } else { tick };
        format!("{tick:.digits$}").replace('-', "−")
    }
}
