//! Quality by the tokens that a model reads: a line a family, a bar for every interval.

use super::{
    axes::{self, Axis, Frame},
    labels::{self, Label},
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

/// A plot of lines over a logarithmic axis of tokens; `title` names the other one, which begins at 0 or is
/// logarithmic where `is_cost`. Lines have their names at their ends, single points beside them.
pub(in crate::report) fn by_length(title: &str, series: &[LengthSeries], is_cost: bool) -> String {
    let names: Vec<_> = series.iter().map(|series| shorten(&series.name, 130.0)).collect();
    // A single line needs no name.
    let is_line = |series: &LengthSeries| series.points.len() > 1;
    let at_ends: Vec<usize> = (0..series.len()).filter(|i| series.len() > 1 && is_line(&series[*i])).collect();
    let names_width = at_ends.iter().map(|i| text_width(&names[*i]) * PHONE + 12.0).fold(0.0, f64::max);
    let frame = Frame { left: 52.0, top: 30.0, right: WIDTH - names_width - 30.0, bottom: HEIGHT - 46.0 };
    let points = || series.iter().flat_map(|series| &series.points);
    let inner = frame.left + 16.0;
    let x = Scale::powers(points().map(|(tokens, ..)| *tokens as f64), inner, frame.right);
    let values = points().flat_map(|(_, value, interval)| {
        let [low, high] = interval.unwrap_or([*value; 2]);
        [low, *value, high]
    });
    let y = if is_cost {
        Scale::of_costs(&values.collect::<Vec<_>>(), frame.bottom, frame.top)
    } else {
        Scale::linear(values, frame.bottom, frame.top)
    };

    let mut svg = Svg::new(WIDTH, HEIGHT, format!("{title} by the tokens that a model reads, with 95 % intervals"));
    let said = series.iter().flat_map(|line| line.points.iter().map(move |point| (line, point)));
    let said = said.map(|(line, (tokens, value, _))| said_of(&line.name, *tokens, *value));
    svg.describe(&said.collect::<Vec<_>>().join("; "));
    let show_y = axes::plain(&y);
    let shape = Frame { right: frame.right + 12.0, ..frame };
    axes::draw(
        &mut svg,
        shape,
        &Axis { scale: &x, title: "tokens that the model reads", show: &axes::whole },
        &Axis { scale: &y, title, show: &show_y },
    );
    // Bars at the same length stand beside each other; what has none, or no neighbour, stands where it belongs.
    let has_bars = points().any(|(.., interval)| interval.is_some());
    let shift = |i: usize, tokens: u64| {
        let is_there = |line: &LengthSeries| has_bars && line.points.iter().any(|(other, ..)| *other == tokens);
        let before = series[..i].iter().filter(|line| is_there(line)).count();
        let all = series.iter().filter(|line| is_there(line)).count();
        (before as f64 - (all.max(1) - 1) as f64 / 2.0) * APART
    };
    let place = |i: usize, tokens: u64, value: f64| [x.at(tokens as f64) + shift(i, tokens), y.at(value)];
    let end = |i: &usize| series[*i].points.last().map_or(frame.bottom, |(_, value, _)| y.at(*value));
    let ends: Vec<_> = at_ends.iter().map(end).collect();
    let heights = labels::spread(&ends, 15.0, frame.top, frame.bottom);
    let mut bars = Vec::new();
    let mut single = Vec::new();
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
                bars.push([[*px, low], [*px, high]]);
            }
        }
        svg.polyline(&format!("line s{style}"), &at);
        for (point, (tokens, value, _)) in at.iter().zip(&line.points) {
            svg.circle(&format!("dot s{style}"), *point, 4.0, &said_of(&line.name, *tokens, *value));
        }
        let [.., end] = at.as_slice() else { continue };
        if let Some(place) = at_ends.iter().position(|other| *other == i) {
            let label = [frame.right + 28.0, heights[place]];
            svg.line("leader", [end[0] + 5.0, end[1]], [label[0] - 3.0, label[1]]);
            svg.text(&format!("label t{style}"), [label[0], label[1] + 4.0], Anchor::Start, &names[i]);
        } else if series.len() > 1 {
            single.push((style, Label { at: *end, text: names[i].clone() }));
        }
    }
    let labels: Vec<Label> = single.iter().map(|(_, label)| label.clone()).collect();
    let bounds = [frame.left, frame.top - 8.0, WIDTH - 2.0, frame.bottom - 2.0];
    for ((style, label), placed) in single.iter().zip(labels::place(&labels, bounds, &bars)) {
        if let Some(from) = placed.leader {
            svg.line("leader", label.at, from);
        }
        svg.text(&format!("label halo t{style}"), placed.at, placed.anchor, &label.text);
    }
    svg.finish()
}

fn said_of(name: &str, tokens: u64, value: f64) -> String {
    format!("{name}: {value:.2} at {} tokens", axes::whole(tokens as f64))
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
        insta::assert_snapshot!(by_length("accuracy, %", &series, false));
        for odd in [vec![], vec![LengthSeries { name: "a".into(), points: vec![(512, 0.5, None)] }]] {
            for is_cost in [false, true] {
                let text = by_length("x", &odd, is_cost);
                assert!(text.ends_with("</svg>") && !text.contains("NaN"), "{text}");
            }
        }
    }
}
