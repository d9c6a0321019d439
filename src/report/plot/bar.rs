//! One row a step: a bar from where the quality was to where it is now.

use super::{
    axes,
    scale::Scale,
    svg::{Anchor, Svg, number, shorten},
};

const WIDTH: f64 = 940.0;
const ROW: f64 = 44.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 350.0;
const COSTS: f64 = 150.0;
const TOP: f64 = 34.0;

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct Bar {
    /// Its name.
    pub(in crate::report) name: String,
    /// A smaller line below it: `distill from teacher`.
    pub(in crate::report) detail: String,
    /// Where the value was; none for the first.
    pub(in crate::report) from: Option<f64>,
    /// Where it is now.
    pub(in crate::report) to: f64,
    /// The 95 % interval of where it is now.
    pub(in crate::report) interval: Option<[f64; 2]>,
    /// What is written at the right: `−1.4 points`.
    pub(in crate::report) text: String,
    /// A smaller line below that.
    pub(in crate::report) note: String,
    /// What else changed, a line each: `1.31× smaller`.
    pub(in crate::report) costs: Vec<String>,
}

/// A plot of steps; `title` names the axis.
pub(in crate::report) fn bars(title: &str, bars: &[Bar]) -> String {
    let height = TOP + ROW * bars.len() as f64 + 8.0;
    let bottom = height - 8.0;
    let values = bars.iter().flat_map(|bar| {
        [Some(bar.to), bar.from, bar.interval.map(|ends| ends[0]), bar.interval.map(|ends| ends[1])]
            .into_iter()
            .flatten()
    });
    let scale = Scale::linear(values, LEFT, WIDTH - RIGHT);
    let show = axes::plain(&scale);
    let mut svg = Svg::new(WIDTH, height, format!("what each step cost: {title}"));
    svg.text("axis-title", [8.0, 20.0], Anchor::Start, title);
    for &tick in scale.ticks() {
        let x = scale.at(tick);
        svg.line("grid", [x, TOP - 6.0], [x, bottom]);
        svg.text("tick", [x, TOP - 13.0], Anchor::Middle, &show(tick));
    }
    for (i, bar) in bars.iter().enumerate() {
        let middle = TOP + ROW * (i as f64 + 0.5);
        let to = scale.at(bar.to);
        svg.text("label strong", [8.0, middle - 2.0], Anchor::Start, &shorten(&bar.name, LEFT - 22.0));
        svg.text("tick", [8.0, middle + 13.0], Anchor::Start, &shorten(&bar.detail, LEFT - 14.0));
        if let Some(from) = bar.from {
            let from = scale.at(from);
            let class = if from > to { "fall" } else { "rise" };
            svg.line("link", [from, middle - ROW + 6.0], [from, middle + 6.0]);
            svg.rect(class, [from.min(to), middle - 6.0], [(from - to).abs(), 12.0], 0.0);
        }
        if let Some([low, high]) = bar.interval {
            let (low, high) = (scale.at(low), scale.at(high));
            let cap = |x: f64| format!("M{} {}V{}", number(x), number(middle - 4.0), number(middle + 4.0));
            svg.path(
                "whisker",
                &format!("M{} {}H{}{}{}", number(low), number(middle), number(high), cap(low), cap(high)),
            );
        }
        svg.circle("point", [to, middle], 4.5, &format!("{}: {:.2}", bar.name, bar.to));
        let right = WIDTH - RIGHT + 16.0;
        let shift = if bar.note.is_empty() { 4.0 } else { -2.0 };
        svg.text("label strong", [right, middle + shift], Anchor::Start, &shorten(&bar.text, RIGHT - COSTS - 20.0));
        svg.text("tick", [right, middle + 13.0], Anchor::Start, &shorten(&bar.note, RIGHT - COSTS - 16.0));
        let first = middle + if bar.costs.len() > 1 { -2.0 } else { 4.0 };
        for (cost, y) in bar.costs.iter().zip([first, first + 15.0]) {
            svg.text("label", [WIDTH - COSTS + 8.0, y], Anchor::Start, &shorten(cost, COSTS - 8.0));
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_three() {
        let bar = |name: &str, from, to: f64, text: &str| Bar {
            name: name.into(),
            detail: "distill from teacher".into(),
            from,
            to,
            interval: Some([to - 2.1, to + 2.0]),
            text: text.into(),
            note: String::new(),
            costs: vec!["1.31× smaller".into(), "1.97× faster".into()],
        };
        insta::assert_snapshot!(bars(
            "accuracy, %",
            &[
                bar("teacher", None, 86.12, "86.1 %"),
                bar("student", Some(86.12), 84.74, "−1.4 points"),
                bar("int8", Some(84.74), 84.91, "no significant difference"),
            ]
        ));
        assert!(bars("x", &[]).ends_with("</svg>"));
    }
}
