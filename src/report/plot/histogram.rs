//! How many rows are how long: columns over a logarithmic axis, and what was before as a line over them.

use std::fmt::Write as _;

use super::{
    axes::{self, Axis, Frame},
    scale::Scale,
    svg::{Anchor, Svg, number, shorten},
};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 300.0;
/// Where a bin of empty texts begins on an axis that has no 0.
const NOTHING: f64 = 0.5;

/// A histogram: from, up to below, share of the rows in per cent.
pub(in crate::report) type Bins = [(u64, u64, f64)];

/// A plot of a histogram of lengths in `unit`, with the one before and a marked length, each where there is one, and its name.
pub(in crate::report) fn histogram(
    unit: &str,
    now: &Bins,
    before: Option<(&str, &Bins)>,
    mark: Option<(u64, &str)>,
) -> String {
    let frame = Frame { left: 52.0, top: 30.0, right: WIDTH - 16.0, bottom: HEIGHT - 46.0 };
    let was = before.map_or(&[][..], |(_, bins)| bins);
    let all = || now.iter().chain(was);
    let ends = all().flat_map(|(from, to, _)| [begin(*from), begin(*to)]).chain(mark.map(|(at, _)| begin(at)));
    let x = Scale::decades(ends, frame.left, frame.right);
    let y = Scale::linear(all().map(|(.., share)| *share).chain([0.0]), frame.bottom, frame.top);
    let mut svg = Svg::new(WIDTH, HEIGHT, format!("how many {unit} rows have"));
    svg.describe(&said(unit, now, before, mark));
    let show_y = axes::plain(&y);
    axes::draw(
        &mut svg,
        frame,
        &Axis { scale: &x, title: &format!("{unit} of a row"), show: &axes::whole },
        &Axis { scale: &y, title: "rows, %", show: &show_y },
    );
    for (from, to, share) in now {
        let (left, right, top) = (x.at(begin(*from)), x.at(begin(*to)), y.at(*share));
        svg.rect("bin", [left, top], [(right - left - 1.0).max(1.0), (frame.bottom - top).max(0.0)], 0.0);
    }
    if let Some((name, bins)) = before {
        svg.path("was", &outline(bins, &x, &y, frame.bottom));
        svg.line("was", [frame.right - 150.0, 10.0], [frame.right - 126.0, 10.0]);
        svg.text("tick", [frame.right - 120.0, 14.0], Anchor::Start, &shorten(&format!("before: {name}"), 120.0));
    }
    if let Some((at, name)) = mark {
        let place = x.at(begin(at));
        svg.line("reference", [place, frame.top - 4.0], [place, frame.bottom]);
        let (anchor, shift) = if place > WIDTH / 2.0 { (Anchor::End, -5.0) } else { (Anchor::Start, 5.0) };
        svg.text("tick reference-name halo", [place + shift, frame.top + 8.0], anchor, &shorten(name, 150.0));
    }
    svg.finish()
}

fn begin(length: u64) -> f64 {
    if length == 0 { NOTHING } else { length as f64 }
}

/// The line around columns.
fn outline(bins: &Bins, x: &Scale, y: &Scale, bottom: f64) -> String {
    let mut path = String::new();
    for (place, (from, to, share)) in bins.iter().enumerate() {
        let (left, right, top) = (x.at(begin(*from)), x.at(begin(*to)), y.at(*share));
        if place == 0 {
            let _ = write!(path, "M{} {}", number(left), number(bottom));
        }
        let _ = write!(path, "V{}H{}", number(top), number(right));
    }
    if path.is_empty() { path } else { path + &format!("V{}", number(bottom)) }
}

/// The highest column, of both, and what is marked.
fn said(unit: &str, now: &Bins, before: Option<(&str, &Bins)>, mark: Option<(u64, &str)>) -> String {
    let of = |name: &str, bins: &Bins| {
        let highest = bins.iter().filter(|bin| bin.2.is_finite()).max_by(|a, b| a.2.total_cmp(&b.2));
        let (first, last) = (bins.first().map_or(0, |bin| bin.0), bins.last().map_or(0, |bin| bin.1.saturating_sub(1)));
        highest.map(|(from, to, share)| {
            let whole = |length: u64| axes::whole(length as f64);
            format!(
                "{name}: from {} to {} {unit}, most rows ({share:.0} %) {} to {}",
                whole(first),
                whole(last),
                whole(*from),
                whole(to.saturating_sub(1))
            )
        })
    };
    let mut said: Vec<String> = of("now", now).into_iter().collect();
    said.extend(before.and_then(|(name, bins)| of(&format!("before ({name})"), bins)));
    said.extend(mark.map(|(at, name)| format!("{name} is marked at {}", axes::whole(at as f64))));
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_histograms_and_a_mark() {
        let now = [(8, 10, 12.5), (10, 12, 40.0), (12, 16, 30.0), (16, 20, 17.5)];
        let before = [(10, 12, 10.0), (12, 16, 20.0), (16, 20, 60.0), (20, 25, 10.0)];
        insta::assert_snapshot!(histogram("tokens", &now, Some(("raw", &before[..])), Some((128, "max_length"))));
        for odd in [&[][..], &[(0, 1, 100.0)], &[(0, 1, f64::NAN), (1, u64::MAX, 0.0)]] {
            for before in [None, Some(("<b>", odd))] {
                let text = histogram("words", odd, before, Some((0, "x")));
                assert!(text.ends_with("</svg>") && !text.contains("NaN\"") && !text.contains("<b>"), "{text}");
            }
        }
    }
}
