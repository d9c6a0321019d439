//! Puts labels beside points so that none covers another.

use super::svg::{Anchor, text_width};

/// A label to place: where its point is, and its text.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// The point.
    pub(super) at: [f64; 2],
    /// The text.
    pub(super) text: String,
}

/// A label in its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    /// Its base line and end.
    pub(super) at: [f64; 2],
    /// Which end.
    pub(super) anchor: Anchor,
    /// Where a thin line to the point begins, when the label is not right beside it.
    pub(super) leader: Option<[f64; 2]>,
}

/// An area: left, top, right, bottom.
pub(super) type Area = [f64; 4];

const HEIGHT: f64 = 13.0;
const RADIUS: f64 = 6.0;

/// A place for every label within `bounds`, tried near before far and at the right before elsewhere; the lines between
/// points are avoided where something else is free.
pub(super) fn place(labels: &[Label], bounds: Area, lines: &[[[f64; 2]; 2]]) -> Vec<Placed> {
    let points: Vec<Area> = labels.iter().map(|label| around(label.at)).collect();
    let mut taken: Vec<Area> = Vec::new();
    let mut placed = Vec::new();
    for (own, label) in labels.iter().enumerate() {
        let width = text_width(&label.text);
        let mut best: Option<(f64, Area, Placed)> = None;
        for (rank, (candidate, area)) in candidates(label.at, width).into_iter().enumerate() {
            let others = points.iter().enumerate().filter(|(i, _)| *i != own).map(|(_, area)| area);
            let covered: f64 = taken.iter().map(|other| 4.0 * overlap(area, *other)).sum::<f64>()
                + others.map(|other| 3.0 * overlap(area, *other)).sum::<f64>()
                + lines.iter().map(|line| 2.0 * length_within(*line, area)).sum::<f64>();
            let outside = width * HEIGHT - overlap(area, bounds);
            let cost = covered + 20.0 * outside.max(0.0) + rank as f64;
            if best.as_ref().is_none_or(|(least, _, _)| cost < *least - 1e-9) {
                best = Some((cost, area, candidate));
            }
        }
        let (_, area, place) = best.expect("there is always a candidate");
        taken.push(area);
        placed.push(place);
    }
    placed
}

/// Moves labels at the ends of lines apart: heights at least `gap` from each other, within `[low, high]`, order kept.
pub(super) fn spread(heights: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|a, b| heights[*a].total_cmp(&heights[*b]));
    let mut moved = heights.to_vec();
    let mut least = low;
    for &i in &order {
        moved[i] = moved[i].max(least);
        least = moved[i] + gap;
    }
    let mut most = high;
    for &i in order.iter().rev() {
        moved[i] = moved[i].min(most);
        most = moved[i] - gap;
    }
    moved
}

fn around([x, y]: [f64; 2]) -> Area {
    [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]
}

fn candidates([x, y]: [f64; 2], width: f64) -> Vec<(Placed, Area)> {
    let mut found = Vec::new();
    for reach in [9.0, 22.0, 38.0, 56.0] {
        let diagonal = reach * 0.75;
        for (dx, dy, anchor) in [
            (reach, 0.0, Anchor::Start),
            (-reach, 0.0, Anchor::End),
            (0.0, -reach - 3.0, Anchor::Middle),
            (0.0, reach + 3.0, Anchor::Middle),
            (diagonal, -diagonal, Anchor::Start),
            (diagonal, diagonal, Anchor::Start),
            (-diagonal, -diagonal, Anchor::End),
            (-diagonal, diagonal, Anchor::End),
        ] {
            let (at, middle) = (x + dx, y + dy);
            let left = match anchor {
                Anchor::Start => at,
                Anchor::Middle => at - width / 2.0,
                Anchor::End => at - width,
            };
            let area = [left, middle - HEIGHT / 2.0, left + width, middle + HEIGHT / 2.0];
            // Letters sit a third of their height above the middle.
            let leader = (reach > 9.0).then(|| [at, middle - dy.signum() * if dx == 0.0 { HEIGHT / 2.0 } else { 0.0 }]);
            found.push((Placed { at: [at, middle + 4.0], anchor, leader }, area));
        }
    }
    found
}

fn overlap(a: Area, b: Area) -> f64 {
    let width = a[2].min(b[2]) - a[0].max(b[0]);
    let height = a[3].min(b[3]) - a[1].max(b[1]);
    width.max(0.0) * height.max(0.0)
}

/// How long a horizontal or vertical line runs within an area.
fn length_within([[x1, y1], [x2, y2]]: [[f64; 2]; 2], area: Area) -> f64 {
    let width = x1.max(x2).min(area[2]) - x1.min(x2).max(area[0]);
    let height = y1.max(y2).min(area[3]) - y1.min(y2).max(area[1]);
    if width < 0.0 || height < 0.0 { 0.0 } else { width.max(height) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(label: &Label, placed: &Placed) -> Area {
        let width = text_width(&label.text);
        let left = match placed.anchor {
            Anchor::Start => placed.at[0],
            Anchor::Middle => placed.at[0] - width / 2.0,
            Anchor::End => placed.at[0] - width,
        };
        [left, placed.at[1] - 4.0 - HEIGHT / 2.0, left + width, placed.at[1] - 4.0 + HEIGHT / 2.0]
    }

    #[test]
    fn crowded_points_keep_their_labels_apart() {
        let bounds = [0.0, 0.0, 500.0, 300.0];
        let crowds: [&[[f64; 2]]; 4] = [
            &[[100.0, 100.0], [104.0, 103.0], [98.0, 108.0], [110.0, 96.0], [105.0, 110.0]],
            &[[490.0, 10.0], [492.0, 14.0], [488.0, 290.0]],
            &[[5.0, 5.0], [5.0, 5.0], [5.0, 5.0]],
            &[[200.0, 150.0], [215.0, 150.0], [230.0, 150.0], [245.0, 150.0], [260.0, 150.0], [275.0, 150.0]],
        ];
        for crowd in crowds {
            let labels: Vec<_> =
                crowd.iter().enumerate().map(|(i, at)| Label { at: *at, text: format!("student-{i}") }).collect();
            let areas: Vec<_> =
                labels.iter().zip(place(&labels, bounds, &[])).map(|(label, placed)| area(label, &placed)).collect();
            for (i, a) in areas.iter().enumerate() {
                assert!(overlap(*a, bounds) > 0.99 * (a[2] - a[0]) * HEIGHT, "{crowd:?}: {a:?} leaves the plot");
                for b in &areas[i + 1..] {
                    assert!(overlap(*a, *b) < 1.0, "{crowd:?}: {a:?} and {b:?}");
                }
            }
        }
    }

    #[test]
    fn ends_of_lines_are_spread() {
        assert_eq!(spread(&[50.0, 52.0, 51.0], 15.0, 0.0, 200.0), [50.0, 80.0, 65.0]);
        assert_eq!(spread(&[195.0, 199.0], 15.0, 0.0, 200.0), [185.0, 200.0]);
        assert_eq!(spread(&[], 15.0, 0.0, 200.0), [0.0; 0]);
    }
}
