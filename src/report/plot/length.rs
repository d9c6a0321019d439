//! Quality by the tokens that a model reads: a line a family, a bar for every interval.

use super::{
    axes::{self, Axis, Frame},
    labels,
    line::{PHONE, STYLES},
    scale::Scale,
    svg::{Anchor, Svg, number, shorten, text_width},
};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
/// How far apart the bars of two lines at the same length are drawn.
const APART: f64 = 7.0;
/// More lines than these have bars without ends, which would hide each other.
const MOST_CAPPED: usize = 3;

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct LengthSeries {
    /// Its name.
    pub(in crate::report) name: String,
    /// Tokens, value, 95 % interval; by tokens.
    pub(in crate::report) points: Vec<(u64, f64, Option<[f64; 2]>)>,
}

/// A plot of lines over a logarithmic axis of tokens; `title` names the other one.
pub(in crate::report) fn by_length(title: &str, series: &[LengthSeries]) -> String {
    let names: Vec<_> = series.iter().map(|series| shorten(&series.name, 130.0)).collect();
    // A single line needs no name.
    let names_width = match names.as_slice() {
        [_] | [] => 0.0,
        names => names.iter().map(|name| text_width(name) * PHONE).fold(30.0, f64::max) + 12.0,
    };
    let frame = Frame { left: 52.0, top: 30.0, right: WIDTH - names_width - 30.0, bottom: HEIGHT - 46.0 };
    let points = || series.iter().flat_map(|series| &series.points);
    let inner = frame.left + 16.0;
    let x = Scale::powers(points().map(|(tokens, ..)| *tokens as f64), inner, frame.right);
    let values = points().flat_map(|(_, value, interval)| {
        let [low, high] = interval.unwrap_or([*value; 2]);
        [low, *value, high]
    });
    let y = Scale::linear(values, frame.bottom, frame.top);

    let mut svg = Svg::new(WIDTH, HEIGHT, format!("{title} by the tokens that a model reads, with 95 % intervals"));
    let show_y = axes::plain(&y);
    let shape = Frame { right: frame.right + 12.0, ..frame };
    axes::draw(
        &mut svg,
        shape,
        &Axis { scale: &x, title: "tokens that the model reads", show: &axes::whole },
        &Axis { scale: &y, title, show: &show_y },
    );
    let shift = |i: usize| (i as f64 - (series.len().max(1) - 1) as f64 / 2.0) * APART;
    let place = |i: usize, tokens: u64, value: f64| [x.at(tokens as f64) + shift(i), y.at(value)];
    let ends: Vec<_> =
        series.iter().map(|line| line.points.last().map_or(frame.bottom, |(_, value, _)| y.at(*value))).collect();
    let heights = labels::spread(&ends, 15.0, frame.top, frame.bottom);
    for (i, line) in series.iter().enumerate() {
        let style = i % STYLES;
        let at: Vec<_> = line.points.iter().map(|(tokens, value, _)| place(i, *tokens, *value)).collect();
        for ([px, _], (.., interval)) in at.iter().zip(&line.points) {
            if let Some(ends) = interval {
                let [low, high] = ends.map(|end| y.at(end));
                let cap = |height: f64| format!("M{} {}H{}", number(px - 3.0), number(height), number(px + 3.0));
                let cap = |height: f64| if series.len() > MOST_CAPPED { String::new() } else { cap(height) };
                let bar = format!("M{} {}V{}{}{}", number(*px), number(low), number(high), cap(low), cap(high));
                svg.path(&format!("error e{style}"), &bar);
            }
        }
        svg.polyline(&format!("line s{style}"), &at);
        for (point, (tokens, value, _)) in at.iter().zip(&line.points) {
            let said = format!("{}: {} at {} tokens", line.name, show_value(*value), axes::whole(*tokens as f64));
            svg.circle(&format!("dot s{style}"), *point, 4.0, &said);
        }
        if let (Some(end), true) = (at.last(), series.len() > 1) {
            let label = [frame.right + 28.0, heights[i]];
            svg.line("leader", [end[0] + 5.0, end[1]], [label[0] - 3.0, label[1]]);
            svg.text(&format!("label t{style}"), [label[0], label[1] + 4.0], Anchor::Start, &names[i]);
        }
    }
    svg.finish()
}

fn show_value(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_families_at_four_lengths() {
        let series = |name: &str, first: f64, by: f64| LengthSeries {
            name: name.into(),
            points: (0..4_u32)
                .map(|i| {
                    let value = first + by * f64::from(i);
                    (512 << i, value, Some([value - 4.0, value + 3.5]))
                })
                .collect(),
        };
        let series = [series("window + global", 61.0, 3.0), series("chunks", 61.0, 1.5)];
        insta::assert_snapshot!(by_length("accuracy, %", &series));
        for odd in [vec![], vec![LengthSeries { name: "a".into(), points: vec![(512, 0.5, None)] }]] {
            let text = by_length("x", &odd);
            assert!(text.ends_with("</svg>") && !text.contains("NaN"), "{text}");
        }
    }
}
