//! From the parser's events to nodes, with every limit checked on the way.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError};

use super::{Key, Node, Scalar, Value};
use crate::{Place, Problem};

/// Mappings and lists inside each other.
const MAX_DEPTH: usize = 32;
const MAX_SCALAR_BYTES: usize = 1_000_000;
const MAX_NODES: usize = 500_000;
/// Who has this many mistakes in one file does not read the next one.
const MAX_PROBLEMS: usize = 100;

/// What a file says. None: so little of it could be understood that there is nothing to look at.
pub(crate) fn parse(file: &Arc<Path>, text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut builder = Builder {
        file,
        open: Vec::new(),
        root: None,
        nodes: 0,
        problems: Vec::new(),
    };
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        block_nesting_limit: MAX_DEPTH + 1,
        flow_nesting_limit: MAX_DEPTH + 1,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let done = match event {
            Ok((Event::DocumentStart(..), span)) => {
                documents += 1;
                documents > 1
                    && builder.stop(
                        span.start,
                        "a second document begins here",
                        "one file holds one document",
                    )
            }
            Ok((event, span)) => builder.take(event, span.start),
            Err(error) => builder.broken(&error),
        };
        if done {
            break;
        }
    }
    let stopped = !builder.problems.is_empty();
    let root = builder.root.take();
    problems.append(&mut builder.problems);
    match root {
        Some(root) if !root.is_null() => Some(root),
        _ => {
            if !stopped {
                problems.push(Problem::at(
                    &Place {
                        file: Arc::clone(file),
                        line: 0,
                        column: 0,
                    },
                    "the file is empty",
                ));
            }
            None
        }
    }
}

struct Builder<'a> {
    file: &'a Arc<Path>,
    /// The collections that have begun and not ended, the innermost last.
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

struct Open {
    place: Place,
    what: Collection,
}

enum Collection {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Key, Node)>,
        seen: HashMap<String, Place>,
        key: Option<Key>,
        /// Whether one of its keys was no text: then it is something else than it looks like.
        spoiled: bool,
    },
    /// A collection in the place of a key: read to its end and forgotten.
    Ignored,
}

impl Builder<'_> {
    fn place(&self, at: Marker) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            file: Arc::clone(self.file),
            line: number(at.line()),
            column: number(at.col() + 1),
        }
    }

    fn report(&mut self, at: Marker, message: impl Into<String>, hint: &str) {
        let problem = Problem::at(&self.place(at), message).hint(hint);
        self.problems.push(problem);
    }

    /// Reports what makes the rest of the file unreadable.
    fn stop(&mut self, at: Marker, message: impl Into<String>, hint: &str) -> bool {
        self.report(at, message, hint);
        true
    }

    /// True when there is nothing more to look at.
    fn take(&mut self, event: Event<'_>, at: Marker) -> bool {
        if event.anchor_id().is_some() {
            self.report(
                at,
                "anchors (`&name`) are not used in comboi's files",
                "write the value where it is needed",
            );
        }
        if event.tag().is_some() {
            self.report(
                at,
                "tags (`!name`) are not used in comboi's files",
                "remove the tag; quote what is a text",
            );
        }
        if event.is_node() {
            self.nodes += 1;
            if self.nodes > MAX_NODES {
                return self.stop(
                    at,
                    format!("the file has more than {MAX_NODES} values"),
                    "split the file",
                );
            }
        }
        if self.problems.len() >= MAX_PROBLEMS {
            return true;
        }
        let place = self.place(at);
        match event {
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.report(
                    at,
                    "aliases (`*name`) are not used in comboi's files",
                    "write the value out; quote a text that begins with `*`",
                );
                self.add(Node::reported(place));
            }
            Event::Scalar(text, ..) if text.len() > MAX_SCALAR_BYTES => {
                return self.stop(
                    at,
                    "this value is longer than 1 MB",
                    "keep data in data files",
                );
            }
            Event::Scalar(text, style, ..) => {
                self.scalar(text.into_owned(), style != ScalarStyle::Plain, place);
            }
            Event::SequenceStart(..) => {
                return self.begin(at, place, Collection::Sequence(Vec::new()));
            }
            Event::MappingStart(..) => {
                let mapping = Collection::Mapping {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                    spoiled: false,
                };
                return self.begin(at, place, mapping);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => {}
        }
        false
    }

    fn begin(&mut self, at: Marker, place: Place, what: Collection) -> bool {
        if self.open.len() >= MAX_DEPTH {
            return self.stop(
                at,
                format!("this is nested deeper than {MAX_DEPTH} levels"),
                "check the brackets and the indentation",
            );
        }
        let what = match self.open.last() {
            Some(Open {
                what: Collection::Ignored,
                ..
            }) => Collection::Ignored,
            Some(Open {
                what: Collection::Mapping { key: None, .. },
                ..
            }) => {
                self.report(
                    at,
                    "a key has to be a text",
                    "if this is a placeholder such as {{env:NAME}}, put it in quotes: \"{{env:NAME}}\"",
                );
                Collection::Ignored
            }
            _ => what,
        };
        self.open.push(Open { place, what });
        false
    }

    fn end(&mut self) {
        let Some(Open { place, what }) = self.open.pop() else {
            return;
        };
        match what {
            Collection::Sequence(items) => self.add(Node {
                place,
                value: Value::Sequence(items),
            }),
            Collection::Mapping { spoiled: true, .. } => self.add(Node::reported(place)),
            Collection::Mapping { entries, .. } => self.add(Node {
                place,
                value: Value::Mapping(entries),
            }),
            Collection::Ignored => self.ignored_key(place),
        }
    }

    /// The value that follows will be taken with this key, and left out at the end.
    fn ignored_key(&mut self, place: Place) {
        if let Some(Open {
            what:
                Collection::Mapping {
                    key: key @ None,
                    spoiled,
                    ..
                },
            ..
        }) = self.open.last_mut()
        {
            *spoiled = true;
            *key = Some(Key {
                text: String::new(),
                place,
            });
        }
    }

    fn scalar(&mut self, text: String, quoted: bool, place: Place) {
        match self.open.last_mut() {
            Some(Open {
                what:
                    Collection::Mapping {
                        key: key @ None,
                        seen,
                        ..
                    },
                ..
            }) => {
                if text == "<<" && !quoted {
                    self.problems.push(
                        Problem::at(&place, "merge keys (`<<`) are not used in comboi's files")
                            .hint("write the keys out"),
                    );
                } else if let Some(first) = seen.get(&text) {
                    self.problems.push(
                        Problem::at(&place, format!("key `{text}` is here twice")).hint(format!(
                            "it is at line {} already; keep one of them",
                            first.line
                        )),
                    );
                } else {
                    seen.insert(text.clone(), place.clone());
                    *key = Some(Key { text, place });
                    return;
                }
                *key = Some(Key {
                    text: String::new(),
                    place,
                });
            }
            _ => self.add(Node {
                place,
                value: Value::Scalar(Scalar {
                    written: text,
                    quoted,
                    filled: None,
                }),
            }),
        }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut().map(|open| &mut open.what) {
            None => self.root = Some(node),
            Some(Collection::Sequence(items)) => items.push(node),
            Some(Collection::Mapping {
                entries, key, seen, ..
            }) => match key.take() {
                // Keys that were reported have an empty text that nobody wrote.
                Some(reported) if reported.text.is_empty() && !seen.contains_key("") => {}
                Some(key) => entries.push((key, node)),
                None => {
                    *key = Some(Key {
                        text: String::new(),
                        place: node.place,
                    });
                }
            },
            Some(Collection::Ignored) => {}
        }
    }

    fn broken(&mut self, error: &ScanError) -> bool {
        let hint = hint_for(error.kind());
        let message = match error.kind() {
            ErrorKind::RecursionLimitExceeded => {
                format!("this is nested deeper than {MAX_DEPTH} levels")
            }
            ErrorKind::TabInIndentation
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar => "there is a tab where YAML wants spaces".to_owned(),
            ErrorKind::UnclosedQuotedScalar => "a quote is not closed".to_owned(),
            ErrorKind::InvalidQuotedScalarIndent => {
                "the text in quotes that began above goes on here".to_owned()
            }
            _ => format!("this is not YAML: {}", error.info()),
        };
        // An unclosed bracket or quote is noticed at the end of the file, or at what follows it.
        let problem =
            Problem::at(&self.place(*error.marker()), message).maybe_hint(hint.map(str::to_owned));
        self.problems.push(problem);
        true
    }
}

fn hint_for(kind: &ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::TabInIndentation
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => "indent with spaces",
        ErrorKind::MappingValueNotAllowed | ErrorKind::MappingKeyNotAllowed => {
            "check the indentation; a text with `: ` in it needs quotes"
        }
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => {
            "close the list with `]`; entries are separated by `,`"
        }
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator => {
            "close the mapping with `}`; a text with `{` in it, such as {{env:NAME}}, needs quotes"
        }
        ErrorKind::UnclosedFlowCollection { .. } => "close the bracket",
        ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape => {
            "use single quotes for a text with `\\` in it, such as a pattern"
        }
        ErrorKind::UnexpectedCharacter { .. } => "put the text in quotes",
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::DocumentIndicatorInQuotedScalar => "look for a quote without its partner",
        ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::InvalidIndentation
        | ErrorKind::BlockSequenceEntryNotAllowed => {
            "check the indentation, and that every key is followed by `:`"
        }
        _ => return None,
    })
}
