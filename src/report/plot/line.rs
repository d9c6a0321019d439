//! Curves over steps or epochs, each named at its end.

use super::{
    axes::{self, Axis, Frame},
    labels,
    scale::Scale,
    svg::{Anchor, Svg, shorten, text_width},
};
use crate::report::model::CurvePlot;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
/// How many points a line shows; longer curves are averaged in stretches of equal length.
const MOST_POINTS: usize = 120;
/// How much larger letters are on a phone, where the plot is drawn smaller.
pub(super) const PHONE: f64 = 1.17;
/// How many dash patterns the style sheet has.
pub(super) const STYLES: usize = 6;

/// A plot of curves.
pub(in crate::report) fn lines(plot: &CurvePlot) -> String {
    let CurvePlot { name: title, x: x_title, is_log, series } = plot;
    let thin: Vec<Vec<[f64; 2]>> = series.iter().map(|series| thinned(&series.points)).collect();
    let names: Vec<_> = series.iter().map(|series| shorten(&series.name, 120.0)).collect();
    let names_width = names.iter().map(|name| text_width(name) * PHONE).fold(30.0, f64::max);
    let frame = Frame { left: 52.0, top: 30.0, right: WIDTH - names_width - 22.0, bottom: HEIGHT - 46.0 };
    let values = |axis: usize| thin.iter().flatten().map(move |point| point[axis]);
    let x = if *is_log {
        Scale::powers(values(0), frame.left, frame.right)
    } else {
        Scale::exact(values(0), frame.left, frame.right)
    };
    let y = if *is_log {
        Scale::logarithmic(values(1), frame.bottom, frame.top)
    } else {
        Scale::linear(values(1), frame.bottom, frame.top)
    };

    let mut svg = Svg::new(WIDTH, HEIGHT, format!("{title} by {x_title}"));
    let show_y = axes::plain(&y);
    let plain_x = axes::plain(&x);
    let show_x = |value: f64| if *is_log { axes::whole(value) } else { plain_x(value) };
    axes::draw(
        &mut svg,
        frame,
        &Axis { scale: &x, title: x_title, show: &show_x },
        &Axis { scale: &y, title, show: &show_y },
    );
    let ends: Vec<_> = thin.iter().map(|points| points.last().map_or(frame.bottom, |point| y.at(point[1]))).collect();
    let heights = labels::spread(&ends, 15.0, frame.top, frame.bottom);
    for (i, points) in thin.iter().enumerate() {
        let style = i % STYLES;
        let at: Vec<_> = points.iter().map(|[px, py]| [x.at(*px), y.at(*py)]).collect();
        let Some(end) = at.last() else { continue };
        svg.polyline(&format!("line s{style}"), &at);
        if at.len() <= 12 {
            for (point, [px, py]) in at.iter().zip(points) {
                let name = &series[i].name;
                svg.circle(
                    &format!("dot s{style}"),
                    *point,
                    3.0,
                    &format!("{name}: {} {}, {}", x_title, show_x(*px), short(*py)),
                );
            }
        }
        let label = [frame.right + 12.0, heights[i]];
        svg.line("leader", [end[0] + 4.0, end[1]], [label[0] - 3.0, label[1]]);
        svg.text(&format!("label t{style}"), [label[0], label[1] + 4.0], Anchor::Start, &names[i]);
    }
    svg.finish()
}

/// How many points one shown point of a curve stands for.
pub(in crate::report) fn thinning(points: usize) -> usize {
    points.div_ceil(MOST_POINTS).max(1)
}

fn thinned(points: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mean =
        |points: &[[f64; 2]], axis: usize| points.iter().map(|point| point[axis]).sum::<f64>() / points.len() as f64;
    points.chunks(thinning(points.len())).map(|chunk| [mean(chunk, 0), mean(chunk, 1)]).collect()
}

fn short(value: f64) -> String {
    format!("{value:.4}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Answers;
    use crate::report::{
        fixture,
        model::{Options, Report, Series},
    };

    #[test]
    fn curves_of_three_stages() {
        let report = Report::gather(&fixture::run(), &fixture::scores(), &Answers::default(), &Options::default());
        let plot = &report.curves[1];
        insta::assert_snapshot!(lines(plot));
    }

    #[test]
    fn a_long_curve_is_averaged() {
        let points: Vec<_> = (0..1000_u32).map(|i| [f64::from(i), f64::from(i % 2)]).collect();
        let thin = thinned(&points);
        assert_eq!((thinning(1000), thin.len()), (9, 112));
        assert!(thin[..111].iter().all(|point| (0.4..=0.6).contains(&point[1])));
        assert_eq!(thinned(&points[..100]), points[..100]);
    }

    #[test]
    fn odd_curves_draw() {
        for points in [vec![], vec![[1.0, 0.5]], vec![[1.0, 0.5], [1.0, 0.5]]] {
            for is_log in [false, true] {
                let series = vec![Series { name: "a".into(), points: points.clone() }];
                let text = lines(&CurvePlot { name: "loss".into(), x: "step".into(), is_log, series });
                assert!(text.ends_with("</svg>") && !text.contains("NaN"), "{text}");
            }
        }
        let empty = CurvePlot { name: "loss".into(), x: "step".into(), is_log: false, series: Vec::new() };
        assert!(lines(&empty).ends_with("</svg>"));
    }

    #[test]
    fn powers_are_straight_on_logarithmic_axes() {
        let series = |name: &str, power: i32| {
            let lengths = [512.0_f64, 1024.0, 2048.0, 4096.0];
            Series { name: name.into(), points: lengths.map(|x| [x, 20.0 * (x / 512.0).powi(power)]).to_vec() }
        };
        let series = vec![series("full", 2), series("window", 1)];
        insta::assert_snapshot!(lines(&CurvePlot {
            name: "time (ms)".into(),
            x: "tokens".into(),
            is_log: true,
            series
        }));
    }
}
