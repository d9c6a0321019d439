//! Writes SVG elements as text, all of it escaped.

use std::fmt::Write as _;

/// An image in the making.
pub(super) struct Svg {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// Which end of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The text goes to the right.
    Start,
    /// The text is centred.
    Middle,
    /// The text goes to the left.
    End,
}

impl Svg {
    /// An empty image; `title` is what a screen reader says.
    pub(super) fn new(width: f64, height: f64, title: impl Into<String>) -> Self {
        Self { width, height, title: title.into(), description: String::new(), body: String::new() }
    }

    /// What the image shows in words, for those who do not see it.
    pub(super) fn describe(&mut self, text: &str) {
        text.clone_into(&mut self.description);
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        let (x1, y1, x2, y2) = (number(x1), number(y1), number(x2), number(y2));
        self.element(&format!(r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#));
    }

    /// A line through points.
    pub(super) fn polyline(&mut self, class: &str, points: &[[f64; 2]]) {
        let points: Vec<_> = points.iter().map(|[x, y]| format!("{},{}", number(*x), number(*y))).collect();
        self.element(&format!(r#"<polyline class="{class}" points="{}"/>"#, points.join(" ")));
    }

    /// A path of drawing commands, made with [`number`].
    pub(super) fn path(&mut self, class: &str, commands: &str) {
        self.element(&format!(r#"<path class="{class}" d="{commands}"/>"#));
    }

    /// A circle that says `title` when pointed at.
    pub(super) fn circle(&mut self, class: &str, [x, y]: [f64; 2], radius: f64, title: &str) {
        let (x, y, r) = (number(x), number(y), number(radius));
        let title = escape(title);
        self.element(&format!(r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"><title>{title}</title></circle>"#));
    }

    /// A rectangle with its corner, its size and the radius of its corners.
    pub(super) fn rect(&mut self, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2], radius: f64) {
        let (x, y, width, height, r) = (number(x), number(y), number(width), number(height), number(radius));
        self.element(&format!(r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{r}"/>"#));
    }

    /// A text at its base line.
    pub(super) fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        let (x, y, text) = (number(x), number(y), escape(text));
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        self.element(&format!(r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#));
    }

    /// The whole image. Its natural width goes to the style sheet, so that a narrow page may scroll instead of shrink it.
    pub(super) fn finish(self) -> String {
        let (width, height, title) = (number(self.width), number(self.height), escape(&self.title));
        let description = match self.description.as_str() {
            "" => String::new(),
            text => format!("<desc>{}</desc>\n", escape(text)),
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n{description}{}</svg>",
            self.body
        )
    }

    fn element(&mut self, text: &str) {
        let _ = writeln!(self.body, "{text}");
    }
}

/// A coordinate with at most one decimal; what is not a number becomes 0 and breaks nothing.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    match text.strip_suffix(".0").unwrap_or(&text) {
        "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// Escapes for text and attributes; control characters, which XML forbids, are dropped.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// About how wide a text is at the labels' font size of 12 units: sans-serif letters are a little over half as wide.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars()
        .map(|c| match c {
            'i' | 'l' | 'j' | '.' | ',' | ':' | '\'' | '|' => 3.4,
            'm' | 'w' | 'M' | 'W' | '@' => 10.4,
            c if c.is_uppercase() => 8.2,
            c if c.is_ascii() => 6.8,
            // East Asian letters are as wide as they are high.
            c if (c as u32) >= 0x2e80 => 12.0,
            _ => 7.0,
        })
        .sum()
}

/// A text of at most so many units, cut with an ellipsis.
pub(super) fn shorten(text: &str, width: f64) -> String {
    if text_width(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if text_width(&out) + 7.0 > width {
            out.pop();
            break;
        }
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_element() {
        let mut svg = Svg::new(10.0, 10.0, "a \"title\" <x>");
        svg.text("label", [1.0, 2.25], Anchor::End, "</text><script>&\u{1b}");
        svg.circle("dot", [f64::NAN, -0.01], 2.0, "'");
        let text = svg.finish();
        assert!(!text.contains("<script>") && !text.contains("<x>"), "{text}");
        assert!(text.contains(r#"x="1" y="2.2" text-anchor="end">&lt;/text&gt;&lt;script&gt;&amp;</text>"#), "{text}");
        assert!(text.contains(r#"cx="0" cy="0""#), "{text}");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shorten("int8", 60.0), "int8");
        let short = shorten(&"student-with-a-long-name".repeat(3), 90.0);
        assert!(short.ends_with('…') && text_width(&short) <= 90.0, "{short}");
    }
}
