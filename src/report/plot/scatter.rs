//! Quality against a cost, with the Pareto front: the models that no other beats at both.

use super::{
    axes::{self, Axis, Frame},
    labels::{self, Label},
    scale::Scale,
    svg::{Anchor, Svg, number, shorten},
};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 330.0;

/// A model in the plot.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct Dot {
    /// Its name.
    pub(in crate::report) name: String,
    /// What it costs: less is better.
    pub(in crate::report) cost: f64,
    /// Its quality: more is better, unless the plot says otherwise.
    pub(in crate::report) quality: f64,
    /// The 95 % interval of the quality.
    pub(in crate::report) interval: Option<[f64; 2]>,
}

/// A plot of quality (in per cent when `is_share`) against a cost, both titled with their units.
pub(in crate::report) fn scatter(
    cost_title: &str,
    quality_title: &str,
    dots: &[Dot],
    is_share: bool,
    higher_is_better: bool,
) -> String {
    let factor = if is_share { 100.0 } else { 1.0 };
    let frame = Frame { left: 52.0, top: 34.0, right: WIDTH - 18.0, bottom: HEIGHT - 46.0 };
    let costs: Vec<_> = dots.iter().map(|dot| dot.cost).collect();
    let x = Scale::of_costs(&costs, frame.left, frame.right);
    let ends = dots
        .iter()
        .flat_map(|dot| [Some(dot.quality), dot.interval.map(|ends| ends[0]), dot.interval.map(|ends| ends[1])]);
    let y = Scale::linear(ends.flatten().map(|value| value * factor), frame.bottom, frame.top);

    let mut svg = Svg::new(WIDTH, HEIGHT, format!("{quality_title} against {cost_title}, with the Pareto front"));
    let (show_x, show_y) = (axes::plain(&x), axes::plain(&y));
    axes::draw(
        &mut svg,
        frame,
        &Axis { scale: &x, title: cost_title, show: &show_x },
        &Axis { scale: &y, title: quality_title, show: &show_y },
    );

    let at = |dot: &Dot| [x.at(dot.cost), y.at(dot.quality * factor)];
    let front = front(dots, higher_is_better);
    let stairs = stairs(&front.iter().map(|i| at(&dots[*i])).collect::<Vec<_>>(), frame);
    svg.polyline("front", &stairs);
    for dot in dots {
        let [px, _] = at(dot);
        if let Some([low, high]) = dot.interval {
            let (low, high) = (y.at(low * factor), y.at(high * factor));
            let cap = |height: f64| format!("M{} {}H{}", number(px - 4.0), number(height), number(px + 4.0));
            svg.path("whisker", &format!("M{} {}V{}{}{}", number(px), number(low), number(high), cap(low), cap(high)));
        }
    }
    for (i, dot) in dots.iter().enumerate() {
        let class = if front.contains(&i) { "point" } else { "point beaten" };
        let title = format!("{}: {:.2} at {:.2}", dot.name, dot.quality * factor, dot.cost);
        svg.circle(class, at(dot), 5.0, &title);
    }
    let labels: Vec<_> = dots.iter().map(|dot| Label { at: at(dot), text: shorten(&dot.name, 150.0) }).collect();
    let mut lines: Vec<_> = stairs.windows(2).map(|pair| [pair[0], pair[1]]).collect();
    for dot in dots {
        if let Some([low, high]) = dot.interval {
            let [px, _] = at(dot);
            lines.push([[px, y.at(low * factor)], [px, y.at(high * factor)]]);
        }
    }
    let bounds = [frame.left, frame.top - 8.0, WIDTH - 2.0, frame.bottom - 2.0];
    for (label, placed) in labels.iter().zip(labels::place(&labels, bounds, &lines)) {
        if let Some(end) = placed.leader {
            svg.line("leader", label.at, end);
        }
        svg.text("label halo", placed.at, placed.anchor, &label.text);
    }
    let better = if higher_is_better { "↖ better" } else { "↙ better" };
    let height = if higher_is_better { 14.0 } else { frame.bottom - 8.0 };
    svg.text(
        "axis-title",
        [if higher_is_better { frame.right } else { frame.left + 52.0 }, height],
        Anchor::End,
        better,
    );
    svg.finish()
}

/// The dots that none beats at both, by cost.
fn front(dots: &[Dot], higher_is_better: bool) -> Vec<usize> {
    let sign = if higher_is_better { 1.0 } else { -1.0 };
    let mut order: Vec<usize> = (0..dots.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&dots[*a], &dots[*b]);
        a.cost.total_cmp(&b.cost).then((sign * b.quality).total_cmp(&(sign * a.quality)))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|i| {
        let is_better = sign * dots[*i].quality > best;
        best = best.max(sign * dots[*i].quality);
        is_better
    });
    order
}

/// The edge of what the front reaches: from the cheapest model on, each quality holds until a better model costs more.
fn stairs(points: &[[f64; 2]], frame: Frame) -> Vec<[f64; 2]> {
    let mut stairs: Vec<[f64; 2]> = Vec::new();
    for point in points {
        if let Some([_, height]) = stairs.last().copied() {
            stairs.push([point[0], height]);
        }
        stairs.push(*point);
    }
    if let Some([_, height]) = stairs.last().copied() {
        stairs.push([frame.right, height]);
    }
    stairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(name: &str, cost: f64, quality: f64) -> Dot {
        Dot { name: name.into(), cost, quality, interval: Some([quality - 0.02, quality + 0.02]) }
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let dots = [
            dot("a", 90.0, 0.86),
            dot("b", 70.0, 0.84),
            dot("c", 80.0, 0.83),
            dot("d", 17.0, 0.84),
            dot("e", 90.0, 0.80),
        ];
        assert_eq!(front(&dots, true), [3, 0]);
        assert_eq!(front(&dots, false), [3, 2, 4]);
        assert_eq!(front(&[], true), [0; 0]);
    }

    #[test]
    fn four_models() {
        let dots = [
            dot("teacher", 90.9, 0.8612),
            dot("student", 69.6, 0.8474),
            dot("slim", 62.5, 0.8455),
            dot("int8", 17.2, 0.8446),
        ];
        insta::assert_snapshot!(scatter("size on disk, MB", "accuracy, %", &dots, true, true));
    }

    #[test]
    fn odd_values_draw() {
        for dots in [vec![], vec![dot("a", 0.0, 0.0)], vec![dot("a", 1.0, 0.5), dot("b", 1000.0, 0.5)]] {
            let text = scatter("x", "y", &dots, false, false);
            assert!(text.ends_with("</svg>") && !text.contains("NaN"), "{text}");
        }
    }
}
