//! One row a method: a dot with its interval, beside a line that all are compared with.

use super::{
    axes,
    scale::Scale,
    svg::{Anchor, Svg, number, shorten},
};

const WIDTH: f64 = 520.0;
const ROW: f64 = 34.0;
const LEFT: f64 = 128.0;
const RIGHT: f64 = 96.0;
const TOP: f64 = 46.0;

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct DotRow {
    /// Its name.
    pub(in crate::report) name: String,
    /// Where the dot is.
    pub(in crate::report) value: f64,
    /// Its 95 % interval.
    pub(in crate::report) interval: Option<[f64; 2]>,
    /// What is written at the right: `41.7 %`.
    pub(in crate::report) text: String,
    /// Whether the dot is hollow: it stands for a bound, not for a method that could be used.
    pub(in crate::report) is_bound: bool,
}

/// A plot of dots; `title` names the axis, `line` the value that a line marks and what it is called.
pub(in crate::report) fn dots(title: &str, rows: &[DotRow], line: Option<(f64, &str)>) -> String {
    let height = TOP + ROW * rows.len() as f64 + 6.0;
    let (top, bottom) = (TOP - 8.0, height - 6.0);
    let values = rows.iter().flat_map(|row| {
        let ends = row.interval.map_or([row.value; 2], |ends| ends);
        [row.value, ends[0], ends[1]]
    });
    let scale = Scale::linear(values.chain(line.map(|(value, _)| value)), LEFT, WIDTH - RIGHT);
    let show = axes::plain(&scale);
    let mut svg = Svg::new(WIDTH, height, format!("{title}, with 95 % intervals"));
    let said: Vec<_> = rows.iter().map(|row| format!("{}: {}", row.name, row.text)).collect();
    svg.describe(&said.join("; "));
    svg.text("axis-title", [8.0, 14.0], Anchor::Start, title);
    for &tick in scale.ticks() {
        let x = scale.at(tick);
        svg.line("grid", [x, top], [x, bottom]);
        svg.text("tick", [x, TOP - 14.0], Anchor::Middle, &show(tick));
    }
    if let Some((value, name)) = line {
        let x = scale.at(value);
        svg.line("reference", [x, top], [x, bottom]);
        svg.text("tick reference-name", [x, 14.0], Anchor::Middle, &shorten(name, 120.0));
    }
    for (i, row) in rows.iter().enumerate() {
        let (middle, at) = (TOP + ROW * (i as f64 + 0.5), scale.at(row.value));
        svg.text("label strong", [8.0, middle + 4.0], Anchor::Start, &shorten(&row.name, LEFT - 20.0));
        if let Some([low, high]) = row.interval {
            let (low, high) = (scale.at(low), scale.at(high));
            svg.path("spread", &format!("M{} {}H{}", number(low), number(middle), number(high)));
        }
        let class = if row.is_bound { "point beaten" } else { "point" };
        svg.circle(class, [at, middle], 5.0, &format!("{}: {}", row.name, row.text));
        svg.text("label", [WIDTH - 4.0, middle + 4.0], Anchor::End, &row.text);
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_beside_the_first_sentences() {
        let row = |name: &str, value: f64, is_bound| DotRow {
            name: name.into(),
            value,
            interval: Some([value - 1.9, value + 2.2]),
            text: format!("{value:.1} %"),
            is_bound,
        };
        let rows = [row("oracle", 62.6, true), row("lead", 41.7, false), row("lex_rank", 32.7, false)];
        insta::assert_snapshot!(dots("ROUGE-1, %", &rows, Some((41.7, "lead"))));
        for odd in [vec![], vec![DotRow { interval: None, ..row("a", f64::NAN, false) }]] {
            let text = dots("x", &odd, None);
            assert!(text.ends_with("</svg>") && !text.contains("NaN\""), "{text}");
        }
    }
}
