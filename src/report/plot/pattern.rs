//! Which tokens see which: a text's tokens from top to bottom, what each sees from left to right.

use super::svg::{Svg, number};

const SIDE: f64 = 132.0;
const GAP: f64 = 14.0;
const MARGIN: f64 = 1.0;
/// How many windows long the drawn stretch of a text is at most: a narrower band would be a line.
const MOST_WINDOWS: u64 = 16;
/// How wide a single token is drawn at least.
const THINNEST: f64 = 2.5;

/// A pattern of attention.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::report) struct Pattern {
    /// The image.
    pub(in crate::report) svg: String,
    /// What is seen, in a sentence.
    pub(in crate::report) about: String,
    /// The share of all pairs of tokens that see each other, over the layers.
    pub(in crate::report) share: f64,
    /// How many tokens are drawn, where that is not the whole text.
    pub(in crate::report) drawn: Option<u64>,
}

/// The pattern of a mechanism, as recipes call it, over a text of `tokens` with windows of `window`; none of a mechanism
/// that is not known here.
pub(in crate::report) fn pattern(mechanism: &str, tokens: u64, window: u64) -> Option<Pattern> {
    let tokens = tokens.max(1);
    let drawn = tokens.min(window.max(1).saturating_mul(MOST_WINDOWS));
    let reach = window / 2;
    let (full, band) = (tokens as f64 * tokens as f64, within(tokens, reach));
    let (about, pairs) = match mechanism {
        "full" => ("Every token sees every token.".to_owned(), full),
        "chunks" => (format!("Pieces of {window} tokens, each read alone."), blocks(tokens, window)),
        "window" => (format!("Each token sees {reach} to either side."), band),
        "window_global" => (
            format!("Each sees {reach} to either side; the first sees, and is seen by, all."),
            // The first token's own window is counted already.
            (band + 2.0 * tokens.saturating_sub(reach + 1) as f64).min(full),
        ),
        "alternating" => (
            format!("Every third layer sees all, the others {reach} to either side."),
            // The share of the layers, whatever their number is.
            full / 3.0 + band * 2.0 / 3.0,
        ),
        _ => return None,
    };
    let width = if mechanism == "alternating" { 2.0 * SIDE + GAP } else { SIDE } + 2.0 * MARGIN;
    let mut svg = Svg::new(width, SIDE + 2.0 * MARGIN, format!("attention pattern: {}", mechanism.replace('_', " + ")));
    svg.describe(&about);
    let area = Area { left: MARGIN, top: MARGIN, unit: SIDE / drawn as f64, tokens: drawn };
    match mechanism {
        "full" => area.all(&mut svg),
        "chunks" => area.blocks(&mut svg, window),
        "alternating" => {
            area.all(&mut svg);
            Area { left: MARGIN + SIDE + GAP, ..area }.band(&mut svg, reach);
        }
        _ => area.band(&mut svg, reach),
    }
    if mechanism == "window_global" {
        area.first(&mut svg);
    }
    Some(Pattern { svg: svg.finish(), about, share: pairs / full, drawn: (drawn < tokens).then_some(drawn) })
}

/// How many pairs lie at most `reach` apart.
fn within(tokens: u64, reach: u64) -> f64 {
    let (n, reach) = (tokens as f64, reach.min(tokens - 1) as f64);
    n * (2.0 * reach + 1.0) - reach * (reach + 1.0)
}

/// How many pairs share a piece; each piece has the text's first and last token besides its own.
fn blocks(tokens: u64, window: u64) -> f64 {
    let (inner, piece) = (tokens.saturating_sub(2), window.saturating_sub(2).max(1));
    let pairs = |own: u64| (own as f64 + 2.0).powi(2);
    let rest = if inner.is_multiple_of(piece) { 0.0 } else { pairs(inner % piece) };
    ((inner / piece) as f64 * pairs(piece) + rest).min((tokens as f64).powi(2))
}

/// A square of tokens by tokens.
#[derive(Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    /// How wide a token is.
    unit: f64,
    tokens: u64,
}

impl Area {
    fn side(self) -> f64 {
        self.unit * self.tokens as f64
    }

    fn field(self, svg: &mut Svg) {
        svg.rect("field", [self.left, self.top], [self.side(), self.side()], 0.0);
    }

    fn frame(self, svg: &mut Svg) {
        svg.rect("frame", [self.left, self.top], [self.side(), self.side()], 0.0);
    }

    fn all(self, svg: &mut Svg) {
        svg.rect("sees", [self.left, self.top], [self.side(), self.side()], 0.0);
        self.frame(svg);
    }

    fn blocks(self, svg: &mut Svg, window: u64) {
        self.field(svg);
        // The text's ends, which every piece repeats, are too thin to be seen.
        let piece = window.saturating_sub(2).max(1);
        let mut from = 0;
        while from < self.tokens {
            let own = piece.min(self.tokens - from);
            let (at, side) = (self.unit * from as f64, self.unit * own as f64);
            svg.rect("sees", [self.left + at, self.top + at], [side, side], 0.0);
            from += own;
        }
        self.frame(svg);
    }

    fn band(self, svg: &mut Svg, reach: u64) {
        self.field(svg);
        let (side, reach) = (self.side(), (self.unit * reach as f64).max(THINNEST / 2.0).min(self.side()));
        let [left, top, right, bottom] = [self.left, self.top, self.left + side, self.top + side].map(number);
        let corner = |from: f64, by: f64| number(from + by);
        svg.path(
            "sees",
            &format!(
                "M{left} {top}H{}L{right} {}V{bottom}H{}L{left} {}z",
                corner(self.left, reach),
                corner(self.top, side - reach),
                corner(self.left, side - reach),
                corner(self.top, reach),
            ),
        );
        self.frame(svg);
    }

    /// The first row and the first column.
    fn first(self, svg: &mut Svg) {
        let thin = self.unit.max(THINNEST);
        svg.rect("global", [self.left, self.top], [self.side(), thin], 0.0);
        svg.rect("global", [self.left, self.top], [thin, self.side()], 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mechanism_is_drawn() {
        let drawn: Vec<_> = ["full", "chunks", "window", "window_global", "alternating"]
            .iter()
            .map(|name| pattern(name, 4096, 512).unwrap())
            .map(|found| format!("{} {:.1} %\n{}", found.about, found.share * 100.0, found.svg))
            .collect();
        insta::assert_snapshot!(drawn.join("\n"));
        assert_eq!(pattern("linear", 4096, 512), None);
    }

    #[test]
    fn pairs_are_counted() {
        let share = |mechanism: &str, tokens, window| pattern(mechanism, tokens, window).unwrap().share;
        // Of 10 tokens with one neighbour to either side: 10 + 2 × 9 of 100; the first sees 8 more, 8 more see it.
        assert!((share("window", 10, 2) - 0.28).abs() < 1e-12);
        assert!((share("window_global", 10, 2) - 0.44).abs() < 1e-12);
        assert!((share("alternating", 10, 2) - (1.0 + 2.0 * 0.28) / 3.0).abs() < 1e-12);
        // Eight tokens between the ends, four a piece: two pieces of six.
        assert!((share("chunks", 10, 6) - 0.72).abs() < 1e-12);
        for mechanism in ["full", "chunks", "window", "window_global", "alternating"] {
            let whole = pattern(mechanism, 100, 512).unwrap();
            assert!((whole.share - 1.0).abs() < 1e-12 && whole.drawn.is_none(), "{mechanism}: {}", whole.share);
            for (tokens, window) in [(0, 0), (1, 0), (2, 4), (1_000_000, 4)] {
                let odd = pattern(mechanism, tokens, window).unwrap();
                assert!((0.0..=1.0).contains(&odd.share) && odd.svg.len() < 20_000, "{mechanism} {tokens} {window}");
            }
        }
        assert_eq!(pattern("window", 1_000_000, 512).unwrap().drawn, Some(8192));
    }
}
