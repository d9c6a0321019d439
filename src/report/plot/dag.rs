//! The graph of a run's stages, from top to bottom (layers as in Sugiyama, Tagawa and Toda, 1981).

use std::fmt::Write as _;

use super::svg::{Anchor, Svg, number, shorten, text_width};

const BOX_HEIGHT: f64 = 46.0;
const LAYER: f64 = 84.0;
const GAP: f64 = 20.0;
const MARGIN: f64 = 10.0;
const WIDEST: f64 = 210.0;
/// Sweeps that order the layers, and that straighten the edges; more change nothing in graphs of this size.
const SWEEPS: usize = 12;

/// A stage in the graph.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct Box {
    /// Its name.
    pub(in crate::report) name: String,
    /// A smaller line below it: `distill · ran 6 m 41 s`.
    pub(in crate::report) detail: String,
    /// Its class in the style sheet: `ran`, `cached`, `failed`, `waiting`.
    pub(in crate::report) class: &'static str,
    /// The places of the boxes that it takes from.
    pub(in crate::report) inputs: Vec<usize>,
}

/// A plot of boxes and the edges between them.
pub(in crate::report) fn dag(title: &str, boxes: &[Box]) -> String {
    let mut graph = Graph::of(boxes);
    graph.order();
    graph.straighten();
    let left = graph.items.iter().map(|item| item.x - item.width / 2.0).fold(f64::INFINITY, f64::min);
    let right = graph.items.iter().map(|item| item.x + item.width / 2.0).fold(f64::NEG_INFINITY, f64::max);
    let (left, right) = if left > right { (0.0, 100.0) } else { (left, right) };
    let height = 2.0 * MARGIN + LAYER * (graph.layers.len().max(1) - 1) as f64 + BOX_HEIGHT;

    let mut svg = Svg::new(right - left + 2.0 * MARGIN, height, title);
    let at = |item: usize| {
        let item = &graph.items[item];
        [item.x - left + MARGIN, MARGIN + LAYER * item.layer as f64]
    };
    for edge in &graph.edges {
        draw_edge(&mut svg, &edge.iter().map(|item| at(*item)).collect::<Vec<_>>());
    }
    for (i, stage) in boxes.iter().enumerate() {
        let ([x, y], width) = (at(i), graph.items[i].width);
        svg.rect(&format!("box {}", stage.class), [x - width / 2.0, y], [width, BOX_HEIGHT], 5.0);
        svg.text("label strong", [x, y + 19.0], Anchor::Middle, &shorten(&stage.name, width - 12.0));
        svg.text("tick", [x, y + 35.0], Anchor::Middle, &shorten(&stage.detail, width - 8.0));
    }
    svg.finish()
}

/// An edge from the lower side of its first point's box, past the places between, to the upper side of its last.
fn draw_edge(svg: &mut Svg, points: &[[f64; 2]]) {
    let [first, .., last] = points else { return };
    let mut path = format!("M{} {}", number(first[0]), number(first[1] + BOX_HEIGHT));
    for pair in points.windows(2) {
        let ([x1, y1], [x2, y2]) = (pair[0], pair[1]);
        let from = y1 + BOX_HEIGHT;
        let middle = f64::midpoint(from, y2);
        let [a, b, c, d] = [x1, middle, x2, y2].map(number);
        let _ = write!(path, "C{a} {b} {c} {b} {c} {d}");
        if pair[1] != *last {
            let _ = write!(path, "V{}", number(y2 + BOX_HEIGHT));
        }
    }
    svg.path("edge", &path);
    let [x, y] = *last;
    let tip = format!("M{} {}l4 -7h-8z", number(x), number(y));
    svg.path("tip", &tip);
}

/// A box, or a place that a long edge passes through.
#[derive(Clone, Debug)]
struct Item {
    layer: usize,
    width: f64,
    x: f64,
    above: Vec<usize>,
    below: Vec<usize>,
}

struct Graph {
    items: Vec<Item>,
    /// The items of each layer, left to right.
    layers: Vec<Vec<usize>>,
    /// The items that each edge runs along.
    edges: Vec<Vec<usize>>,
}

impl Graph {
    fn of(boxes: &[Box]) -> Self {
        let layer_of = layers_of(boxes);
        let mut items: Vec<Item> = boxes
            .iter()
            .zip(&layer_of)
            .map(|(stage, layer)| {
                // Names are bold, a little wider than what `text_width` measures.
                let text = (text_width(&stage.name) * 1.08 + 22.0).max(text_width(&stage.detail) + 18.0);
                Item { layer: *layer, width: text.clamp(104.0, WIDEST), x: 0.0, above: Vec::new(), below: Vec::new() }
            })
            .collect();
        let mut edges = Vec::new();
        for (to, stage) in boxes.iter().enumerate() {
            let mut inputs: Vec<_> = stage.inputs.iter().copied().filter(|from| *from < boxes.len()).collect();
            inputs.sort_unstable();
            inputs.dedup();
            for from in inputs.into_iter().filter(|from| layer_of[*from] < layer_of[to]) {
                let mut edge = vec![from];
                for layer in layer_of[from] + 1..layer_of[to] {
                    items.push(Item { layer, width: 6.0, x: 0.0, above: Vec::new(), below: Vec::new() });
                    edge.push(items.len() - 1);
                }
                edge.push(to);
                for pair in edge.windows(2) {
                    items[pair[0]].below.push(pair[1]);
                    items[pair[1]].above.push(pair[0]);
                }
                edges.push(edge);
            }
        }
        let depth = items.iter().map(|item| item.layer + 1).max().unwrap_or(0);
        let mut layers = vec![Vec::new(); depth];
        for (i, item) in items.iter().enumerate() {
            layers[item.layer].push(i);
        }
        Self { items, layers, edges }
    }

    /// Orders each layer by the mean place of its neighbours, down and up in turn; the order with fewest crossings wins.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let place = |layers: &[Vec<usize>], count: usize| {
                let mut place = vec![0.0; count];
                for layer in layers {
                    for (at, item) in layer.iter().enumerate() {
                        // Shares, not ranks: layers of different breadth are compared.
                        place[*item] = (at as f64 + 0.5) / layer.len() as f64;
                    }
                }
                place
            };
            let down = sweep % 2 == 0;
            let mut order: Vec<usize> = (0..self.layers.len()).collect();
            if !down {
                order.reverse();
            }
            for layer in order {
                let places = place(&self.layers, self.items.len());
                let items = &self.items;
                let key = |item: usize| {
                    let neighbours = if down { &items[item].above } else { &items[item].below };
                    mean(neighbours.iter().map(|i| places[*i])).unwrap_or(places[item])
                };
                self.layers[layer].sort_by(|a, b| key(*a).total_cmp(&key(*b)));
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    /// How many pairs of edges cross.
    fn crossings(&self) -> usize {
        let mut rank = vec![0; self.items.len()];
        for layer in &self.layers {
            for (at, item) in layer.iter().enumerate() {
                rank[*item] = at;
            }
        }
        let mut crossings = 0;
        for layer in &self.layers {
            let edges: Vec<_> = layer
                .iter()
                .flat_map(|from| self.items[*from].below.iter().map(|to| (rank[*from], rank[*to])))
                .collect();
            for (i, a) in edges.iter().enumerate() {
                crossings +=
                    edges[i + 1..].iter().filter(|b| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1)).count();
            }
        }
        crossings
    }

    /// Moves every item towards its neighbours while the order and the gaps of its layer hold.
    fn straighten(&mut self) {
        for layer in &self.layers {
            let mut x = 0.0;
            for item in layer {
                let width = self.items[*item].width;
                self.items[*item].x = x + width / 2.0;
                x += width + GAP;
            }
            for item in layer {
                self.items[*item].x -= x / 2.0;
            }
        }
        for _ in 0..SWEEPS {
            for at in (0..self.layers.len()).chain((0..self.layers.len()).rev()) {
                let layer = self.layers[at].clone();
                let wanted: Vec<f64> = layer
                    .iter()
                    .map(|item| {
                        let item = &self.items[*item];
                        let neighbours = item.above.iter().chain(&item.below).map(|i| self.items[*i].x);
                        mean(neighbours).unwrap_or(item.x)
                    })
                    .collect();
                let widths: Vec<f64> = layer.iter().map(|item| self.items[*item].width).collect();
                for (item, x) in layer.iter().zip(apart(&wanted, &widths)) {
                    self.items[*item].x = x;
                }
            }
        }
    }
}

/// Places near the wanted ones, in order and with gaps: the mean of packing from the left and from the right, both of
/// which keep the gaps.
fn apart(wanted: &[f64], widths: &[f64]) -> Vec<f64> {
    let distance = |i: usize| f64::midpoint(widths[i], widths[i + 1]) + GAP;
    let mut from_left = wanted.to_vec();
    for i in 1..wanted.len() {
        from_left[i] = from_left[i].max(from_left[i - 1] + distance(i - 1));
    }
    let mut from_right = wanted.to_vec();
    for i in (0..wanted.len().saturating_sub(1)).rev() {
        from_right[i] = from_right[i].min(from_right[i + 1] - distance(i));
    }
    from_left.iter().zip(&from_right).map(|(a, b)| f64::midpoint(*a, *b)).collect()
}

/// The longest way from a source; sources stand right above what first takes from them.
fn layers_of(boxes: &[Box]) -> Vec<usize> {
    let mut layers = vec![0; boxes.len()];
    // Each round settles one more layer. The bound ends the loop even for what a damaged record may hold: a cycle.
    for _ in 0..boxes.len() {
        let mut settled = true;
        for (to, stage) in boxes.iter().enumerate() {
            for &from in stage.inputs.iter().filter(|from| **from < boxes.len() && **from != to) {
                let below = layers[from] + 1;
                if below > layers[to] && below < boxes.len() {
                    layers[to] = below;
                    settled = false;
                }
            }
        }
        if settled {
            break;
        }
    }
    for from in 0..boxes.len() {
        if boxes[from].inputs.is_empty() {
            let takers = boxes.iter().enumerate().filter(|(_, stage)| stage.inputs.contains(&from));
            if let Some(layer) = takers.map(|(to, _)| layers[to]).min() {
                layers[from] = layer.saturating_sub(1);
            }
        }
    }
    layers
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        (sum, count) = (sum + value, count + 1);
    }
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, inputs: &[usize]) -> Box {
        Box { name: name.into(), detail: "prune · ran 2 m 11 s".into(), class: "ran", inputs: inputs.to_vec() }
    }

    fn mobile() -> Vec<Box> {
        vec![
            stage("reviews", &[]),
            stage("minilm", &[]),
            stage("clean", &[0]),
            stage("more", &[2]),
            stage("teacher", &[1, 3]),
            stage("student", &[4, 3]),
            stage("slim", &[5, 3]),
            stage("int8", &[6]),
            stage("scores", &[4, 5, 6, 7, 2]),
            stage("speed", &[4, 5, 6, 7]),
            stage("report", &[8, 9]),
        ]
    }

    #[test]
    fn the_mobile_recipe() {
        insta::assert_snapshot!(dag("the stages of this run", &mobile()));
    }

    #[test]
    fn boxes_never_touch() {
        let mut graph = Graph::of(&mobile());
        graph.order();
        graph.straighten();
        for layer in &graph.layers {
            for pair in layer.windows(2) {
                let (a, b) = (&graph.items[pair[0]], &graph.items[pair[1]]);
                assert!(b.x - a.x >= f64::midpoint(a.width, b.width) + GAP - 1e-6);
            }
        }
        assert!(graph.crossings() <= 6, "{}", graph.crossings());
    }

    #[test]
    fn sources_stand_above_what_takes_them_and_cycles_end() {
        assert_eq!(layers_of(&mobile())[..5], [0, 2, 1, 2, 3]);
        let cycle = [stage("a", &[1]), stage("b", &[0]), stage("c", &[2, 9])];
        assert!(dag("odd", &cycle).ends_with("</svg>"));
        assert!(dag("empty", &[]).ends_with("</svg>"));
    }
}
