//! Text to spanned nodes; the one file that knows the YAML crate.
//!
//! It reads the event stream below the serde layer, because that has the byte span of every part, tells plain from
//! quoted scalars, and lets all duplicate keys, tags and unknown anchors be reported at once.

use std::collections::BTreeMap;

use serde_yaml::granit_parser::{
    self as yaml, ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, StrInput, StructureStyle,
};

use super::{diagnostic::Diagnostic, scalar};
use crate::base::{
    node::{Key, Node, NodeValue},
    span::Span,
};

/// How deep lists and maps may nest.
pub(super) const MAX_DEPTH: usize = 48;
/// How many values there may be, those that aliases repeat counted each time.
pub(super) const MAX_NODES: usize = 50_000;
/// How many aliases and how many anchors there may be.
pub(super) const MAX_ALIASES: usize = 1_000;
/// How many bytes of text there may be in all, those that aliases repeat counted each time.
pub(super) const MAX_TEXT_BYTES: usize = 8 << 20;
/// How large a recipe may be.
pub(super) const MAX_FILE_BYTES: usize = 4 << 20;

/// Parses one document. What is wrong goes to `faults`; a node comes back if the rest makes sense without it.
pub(super) fn parse(text: &str, faults: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut options = yaml::Options::default();
    options.emit_unresolved_aliases = true;
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader =
        Reader { text, parser, faults, anchors: BTreeMap::new(), size: Size::default(), aliases: 0, sound: true };
    match reader.document() {
        Ok(node) => node.filter(|_| reader.sound),
        Err(Stop) => None,
    }
}

/// Reading cannot go on; why is among the faults.
struct Stop;

/// What a node weighs, itself and all below it.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

struct Reader<'text, 'faults> {
    text: &'text str,
    parser: Parser<'text, StrInput<'text>>,
    faults: &'faults mut Vec<Diagnostic>,
    /// What an alias of each anchor repeats; nothing while the anchored node is still being read.
    anchors: BTreeMap<usize, Option<(Node, Size)>>,
    size: Size,
    aliases: usize,
    /// Whether the rest still means what was meant; false once a value had to be dropped.
    sound: bool,
}

/// What stands where a key may stand.
enum KeyRead {
    Key(Key),
    /// Something that is no key; its place, and whether it is a flow map, as an unquoted `{{ x }}` is.
    NotAKey(Span, bool),
}

impl<'text> Reader<'text, '_> {
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut document = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentStart(..) if document.is_some() => {
                    return self.stop(
                        Diagnostic::error(
                            "recipe::syntax",
                            span,
                            "a recipe is one YAML document, and here begins another",
                        )
                        .label("a second document")
                        .help("put it into a file of its own"),
                    );
                }
                Event::DocumentStart(..) => {
                    let (event, span) = self.next()?;
                    // A document without content.
                    if matches!(event, Event::DocumentEnd) {
                        continue;
                    }
                    document = Some(self.node(event, span, 1)?);
                }
                Event::StreamEnd => return Ok(document),
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node, Stop> {
        if depth > MAX_DEPTH {
            return self.stop(
                Diagnostic::error("recipe::limit", span, format!("lists and maps nest deeper than {MAX_DEPTH} levels"))
                    .label("too deep"),
            );
        }
        let before = self.size;
        self.spend(Size { nodes: 1, bytes: 0 }, span)?;
        if let Some(tag) = event.tag() {
            let tag = tag.original();
            self.faults.push(
                Diagnostic::error("recipe::tag", span, format!("recipes have no tags, but this has `{tag}`"))
                    .label("a tagged value")
                    .help("write the value plainly; put a number in quotes to make it a text"),
            );
            self.sound = false;
        }
        let anchor = event.anchor_id().filter(|id| *id > 0);
        if let Some(id) = anchor {
            if self.anchors.len() >= MAX_ALIASES {
                return self.stop(Diagnostic::error(
                    "recipe::limit",
                    span,
                    format!("a recipe may have {MAX_ALIASES} anchors"),
                ));
            }
            self.anchors.insert(id, None);
        }
        let node = match event {
            Event::Scalar(text, style, ..) => {
                self.spend(Size { nodes: 0, bytes: text.len() }, span)?;
                let value = match style {
                    ScalarStyle::Plain => scalar::resolve(&text),
                    _ => NodeValue::String(text.into_owned()),
                };
                Node { span, value }
            }
            Event::SequenceStart(style, ..) => self.list(style, span, depth)?,
            Event::MappingStart(style, ..) => self.map(style, span, depth)?,
            Event::Alias(id) => return self.alias(id, span, depth),
            Event::UnresolvedAlias(name) => {
                self.faults.push(
                    Diagnostic::error("recipe::syntax", span, format!("no anchor before this is called `&{name}`"))
                        .label("unknown alias"),
                );
                self.sound = false;
                Node { span, value: NodeValue::Null }
            }
            _ => return self.stop(Diagnostic::error("recipe::syntax", span, "expected a value")),
        };
        if let Some(id) = anchor {
            let size = Size { nodes: self.size.nodes - before.nodes, bytes: self.size.bytes - before.bytes };
            self.anchors.insert(id, Some((node.clone(), size)));
        }
        Ok(node)
    }

    fn list(&mut self, style: StructureStyle, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let end = end_of(style, span, start, items.last().map(|item| item.span));
                return Ok(Node { span: Span::new(start.start, end), value: NodeValue::List(items) });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, style: StructureStyle, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let mut is_bare_template = false;
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let end = end_of(style, span, start, entries.last().map(|(key, node)| key.span.max(node.span)));
                let span = Span::new(start.start, end);
                // Its missing quotes have been told; the rest is checked as if they were there.
                let meant = self.text.get(span.range()).filter(|_| is_bare_template);
                let value = meant.map_or(NodeValue::Map(entries), |text| NodeValue::String(text.to_owned()));
                return Ok(Node { span, value });
            }
            let key = self.key(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match key {
                KeyRead::Key(key) if key.name == "<<" => {
                    self.sound = false;
                    self.faults.push(
                        Diagnostic::error("recipe::syntax", key.span, "merge keys are not part of YAML 1.2")
                            .label("a merge key")
                            .help("repeat the keys, or give the whole value an anchor and an alias"),
                    );
                }
                KeyRead::Key(key) => {
                    if let Some(earlier) = seen.get(&key.name) {
                        let message = format!("`{}` is given twice", key.name);
                        self.faults.push(
                            Diagnostic::error("recipe::duplicate-key", key.span, message)
                                .label("given again")
                                .related(*earlier, "first given here"),
                        );
                    } else {
                        seen.insert(key.name.clone(), key.span);
                        entries.push((key, value));
                    }
                }
                KeyRead::NotAKey(at, true) if style == StructureStyle::Flow && value.value == NodeValue::Null => {
                    is_bare_template = true;
                    self.faults.push(
                        Diagnostic::error(
                            "recipe::syntax",
                            Span::new(start.start, at.end + 1),
                            "this template is not quoted",
                        )
                        .label("YAML reads braces as a map")
                        .help("quote it: \"{{ … }}\""),
                    );
                }
                KeyRead::NotAKey(at, _) => {
                    self.sound = false;
                    self.faults.push(
                        Diagnostic::error("recipe::syntax", at, "a key must be a single text").label("not a text"),
                    );
                }
            }
        }
    }

    fn key(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<KeyRead, Stop> {
        match event {
            Event::Scalar(text, style, 0, None) if !(text.is_empty() && style == ScalarStyle::Plain) => {
                self.spend(Size { nodes: 1, bytes: text.len() }, span)?;
                Ok(KeyRead::Key(Key { span, name: text.into_owned() }))
            }
            other => {
                let is_flow_map = matches!(other, Event::MappingStart(StructureStyle::Flow, ..));
                let node = self.node(other, span, depth)?;
                Ok(KeyRead::NotAKey(node.span, is_flow_map))
            }
        }
    }

    fn alias(&mut self, id: usize, span: Span, depth: usize) -> Result<Node, Stop> {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            return self.stop(
                Diagnostic::error("recipe::limit", span, format!("a recipe may have {MAX_ALIASES} aliases"))
                    .label("one alias too many"),
            );
        }
        match self.anchors.get(&id).cloned() {
            Some(Some((node, size))) => {
                self.spend(size, span)?;
                if depth + height(&node) > MAX_DEPTH + 1 {
                    return self.stop(Diagnostic::error(
                        "recipe::limit",
                        span,
                        format!("with what this alias repeats, lists and maps nest deeper than {MAX_DEPTH} levels"),
                    ));
                }
                // The alias is the place of the whole; its parts keep the places where they are written.
                Ok(Node { span, ..node })
            }
            _ => self.stop(
                Diagnostic::error("recipe::syntax", span, "this alias is inside of what it repeats")
                    .label("refers to itself"),
            ),
        }
    }

    fn spend(&mut self, size: Size, span: Span) -> Result<(), Stop> {
        self.size.nodes += size.nodes;
        self.size.bytes += size.bytes;
        let limit = if self.size.nodes > MAX_NODES {
            format!("a recipe may have {MAX_NODES} values, with what its aliases repeat")
        } else if self.size.bytes > MAX_TEXT_BYTES {
            format!("a recipe may have {} MiB of text, with what its aliases repeat", MAX_TEXT_BYTES >> 20)
        } else {
            return Ok(());
        };
        self.stop(Diagnostic::error("recipe::limit", span, limit).label("too much from here on"))
    }

    fn next(&mut self) -> Result<(Event<'text>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or_default();
                Ok((event, Span::new(range.start, range.end)))
            }
            Some(Err(error)) => {
                let fault = self.scan_fault(&error);
                self.stop(fault)
            }
            None => self.stop(Diagnostic::error(
                "recipe::syntax",
                Span::new(self.text.len(), self.text.len()),
                "the file ends too early",
            )),
        }
    }

    fn scan_fault(&self, error: &ScanError) -> Diagnostic {
        let at = self.offset(error.marker());
        let rest = self.text.get(at..).unwrap_or_default();
        // At least the character that is wrong is marked.
        let length = rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
        let code = match error.kind() {
            ErrorKind::RecursionLimitExceeded => "recipe::limit",
            _ => "recipe::syntax",
        };
        let line_start = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let has_tab = rest.starts_with('\t') || line.trim_start_matches(' ').starts_with('\t');
        let help = if has_tab || matches!(error.kind(), ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation)
        {
            "indent with spaces: YAML forbids tabs there"
        } else if line.contains("{{") && !line.contains("\"{{") && !line.contains("'{{") {
            "a template must be quoted: \"{{ … }}\""
        } else {
            "look here and above for a quote or bracket that is not closed, or an indentation that does not fit"
        };
        Diagnostic::error(code, Span::new(at, at + length), format!("this is not YAML: {}", error.info()))
            .label("here")
            .help(help)
    }

    /// The byte of a marker, on a character's boundary.
    fn offset(&self, marker: &Marker) -> usize {
        let by_characters = || self.text.char_indices().nth(marker.index()).map_or(self.text.len(), |(at, _)| at);
        let mut at = marker.byte_offset().unwrap_or_else(by_characters).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn stop<T>(&mut self, fault: Diagnostic) -> Result<T, Stop> {
        self.faults.push(fault);
        Err(Stop)
    }
}

/// Where a list or map ends: at its bracket, or with its last part, since a block's end is only seen at what follows.
fn end_of(style: StructureStyle, end: Span, start: Span, last: Option<Span>) -> usize {
    match style {
        StructureStyle::Flow => end.end,
        StructureStyle::Block => last.map_or(start.end, |last| last.end),
    }
}

/// How many levels a node has, itself included.
fn height(node: &Node) -> usize {
    let below = match &node.value {
        NodeValue::List(items) => items.iter().map(height).max(),
        NodeValue::Map(entries) => entries.iter().map(|(_, node)| height(node)).max(),
        _ => None,
    };
    1 + below.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> (Option<Node>, Vec<&'static str>) {
        let mut faults = Vec::new();
        let node = parse(text, &mut faults);
        (node, faults.iter().map(|fault| fault.code).collect())
    }

    #[test]
    fn spans_are_bytes_of_the_text() {
        let text =
            "# ü 🔑\n\"schlüssel\": [\"ä\", öl,  {x: 1.5}]\nnext:\n  - größe\n  - |\n    ünï\n    two\nlast: \"b\"\n";
        let (node, faults) = read(text);
        let node = node.unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        let of = |span: Span| &text[span.range()];
        let (key, list) = &node.entries()[0];
        assert_eq!((of(key.span), key.name.as_str()), ("\"schlüssel\"", "schlüssel"));
        assert_eq!(of(list.span), "[\"ä\", öl,  {x: 1.5}]");
        assert_eq!(of(list.items()[0].span), "\"ä\"");
        assert_eq!(of(list.items()[1].span), "öl");
        assert_eq!(of(list.items()[2].span), "{x: 1.5}");
        assert_eq!(of(node.place_of("schlüssel[2].x")), "1.5");
        assert_eq!(of(node.place_of("next[0]")), "größe");
        assert_eq!(of(node.place_of("last")), "\"b\"");
        assert!(of(node.place_of("next")).starts_with("- größe"));
    }

    #[test]
    fn byte_order_mark_and_windows_lines() {
        let text = "\u{feff}a: 1\r\nb: x\r\n";
        let (node, faults) = read(text);
        let node = node.unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(&text[node.place_of("b").range()], "x");
        assert_eq!(node.to_json(), json!({"a": 1, "b": "x"}));
    }

    #[test]
    fn aliases_repeat() {
        let text = "a: &x {k: [1, 2]}\nb: *x\n";
        let (node, faults) = read(text);
        let node = node.unwrap();
        assert!(faults.is_empty());
        assert_eq!(node.to_json(), json!({"a": {"k": [1, 2]}, "b": {"k": [1, 2]}}));
        assert_eq!(&text[node.place_of("b").range()], "*x");
        assert_eq!(&text[node.place_of("b.k[1]").range()], "2");
    }

    #[test]
    fn all_that_can_be_told_at_once_is() {
        let (node, faults) = read("a: 1\na: 2\nb: !!str 3\na: 4\nc: *nobody\n<<: {x: 1}\n");
        assert!(node.is_none(), "what the rest means is not known");
        assert!(read("a: 1\na: 2\n").0.is_some(), "it is here");
        assert_eq!(
            faults,
            ["recipe::duplicate-key", "recipe::tag", "recipe::duplicate-key", "recipe::syntax", "recipe::syntax"]
        );
    }

    #[test]
    fn hostile_text_is_refused_quickly() {
        let bomb = format!(
            "a: &a [x,x,x,x,x,x,x,x,x]\n{}",
            ('b'..='i')
                .zip('a'..)
                .map(|(this, last)| format!("{this}: &{this} [{}]\n", vec![format!("*{last}"); 9].join(",")))
                .collect::<Vec<_>>()
                .concat()
        );
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 900].join(","));
        let aliases = format!("a: &a []\nb: [{}]\n", vec!["*a"; 2_000].join(","));
        let many = "- 1\n".repeat(MAX_NODES + 1);
        let flow = "[".repeat(100_000);
        let block = "- ".repeat(20_000);
        let maps = (0..200).map(|n| format!("{}k:\n", " ".repeat(n))).collect::<Vec<_>>().concat();
        for text in [&bomb, &long, &aliases, &many, &flow, &block, &maps] {
            let (node, faults) = read(text);
            assert!(node.is_none(), "{}", &text[..40]);
            assert_eq!(faults, ["recipe::limit"], "{}", &text[..40]);
        }
        let doubled =
            format!("a: &a {}1{}\nb: {}*a{}\n", "[".repeat(30), "]".repeat(30), "[".repeat(30), "]".repeat(30));
        assert_eq!(read(&doubled).1, ["recipe::limit"]);
        assert_eq!(read("a: &a [*a]\n").1, ["recipe::syntax"]);
    }

    #[test]
    fn what_is_not_yaml_is_told_with_its_place() {
        for (text, at) in [
            ("a: 1\n\tb: 2\n", 2),
            ("a: [1, 2\n", 2),
            ("a: \"x\n", 2),
            ("a: 1\n---\nb: 2\n", 2),
            ("a: {{ x }}\n", 1),
            ("ü: }\n", 1),
        ] {
            let mut faults = Vec::new();
            parse(text, &mut faults);
            assert!(!faults.is_empty(), "{text:?}");
            let file = crate::base::span::SourceFile { name: String::new(), text: text.into() };
            let (line, _) = file.line_col(faults[0].span.unwrap().start);
            assert!(line <= at, "{text:?}: line {line}");
        }
    }
}
