//! One row a thing: how many there are as a bar, and how many there were as a line.

use super::{
    axes,
    scale::Scale,
    svg::{Anchor, Svg, shorten},
};

const WIDTH: f64 = 520.0;
const ROW: f64 = 28.0;
const LEFT: f64 = 128.0;
const RIGHT: f64 = 132.0;
const TOP: f64 = 46.0;
const BAR: f64 = 14.0;

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct CountRow {
    /// Its name.
    pub(in crate::report) name: String,
    /// How many there are.
    pub(in crate::report) now: f64,
    /// How many there were, where that is known.
    pub(in crate::report) before: Option<f64>,
    /// What is written at the right: `4,196 (39.7 %)`.
    pub(in crate::report) text: String,
}

/// A plot of counts; `title` names the axis, `before` what the lines are.
pub(in crate::report) fn counts(title: &str, rows: &[CountRow], before: Option<&str>) -> String {
    let height = TOP + ROW * rows.len() as f64 + 6.0;
    let (top, bottom) = (TOP - 8.0, height - 6.0);
    let values = rows.iter().flat_map(|row| [Some(row.now), row.before].into_iter().flatten());
    let scale = Scale::linear(values.chain([0.0]), LEFT, WIDTH - RIGHT);
    let mut svg = Svg::new(WIDTH, height, title);
    let said = rows.iter().map(|row| match row.before {
        Some(was) => format!("{}: {}, before {}", row.name, row.text, axes::whole(was)),
        None => format!("{}: {}", row.name, row.text),
    });
    svg.describe(&said.collect::<Vec<_>>().join("; "));
    svg.text("axis-title", [8.0, 14.0], Anchor::Start, title);
    // Numbers of rows are long: every other one is written where they would touch.
    let every = if scale.ticks().len() > 4 { 2 } else { 1 };
    for (place, &tick) in scale.ticks().iter().enumerate() {
        let x = scale.at(tick);
        svg.line("grid", [x, top], [x, bottom]);
        if place % every == 0 {
            svg.text("tick", [x, TOP - 14.0], Anchor::Middle, &axes::whole(tick));
        }
    }
    if let Some(name) = before {
        svg.line("was", [WIDTH - RIGHT + 8.0, 5.0], [WIDTH - RIGHT + 8.0, 19.0]);
        svg.text(
            "tick",
            [WIDTH - RIGHT + 14.0, 16.0],
            Anchor::Start,
            &shorten(&format!("before: {name}"), RIGHT - 18.0),
        );
    }
    let zero = scale.at(0.0);
    for (place, row) in rows.iter().enumerate() {
        let middle = TOP + ROW * (place as f64 + 0.5);
        svg.text("label strong", [8.0, middle + 4.0], Anchor::Start, &shorten(&row.name, LEFT - 20.0));
        svg.rect("bin", [zero, middle - BAR / 2.0], [(scale.at(row.now) - zero).max(0.0), BAR], 0.0);
        if let Some(was) = row.before {
            let x = scale.at(was);
            svg.line("was", [x, middle - BAR / 2.0 - 3.0], [x, middle + BAR / 2.0 + 3.0]);
        }
        svg.text("label", [WIDTH - 4.0, middle + 4.0], Anchor::End, &shorten(&row.text, RIGHT - 12.0));
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_before_and_after() {
        let row = |name: &str, now, before| CountRow { name: name.into(), now, before, text: format!("{now} rows") };
        let rows =
            [row("train", 16_794.0, Some(8_397.0)), row("validation", 1_088.0, Some(1_088.0)), row("test", 0.0, None)];
        insta::assert_snapshot!(counts("rows", &rows, Some("clean")));
        for odd in [vec![], vec![row("</text>", f64::NAN, Some(f64::INFINITY))]] {
            let text = counts("x", &odd, None);
            assert!(text.ends_with("</svg>") && !text.contains("NaN\"") && !text.contains("</text></text>"), "{text}");
        }
    }
}
