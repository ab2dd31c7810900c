//! The keys of a mapping, taken one by one; what is left over is unknown.

use super::{Read, Reader};
use crate::yaml::{Key, Node, Value};
use crate::{Place, Problem, suggest};

pub(crate) struct Fields<'n> {
    /// What the mapping describes, for messages: `a table`.
    what: &'static str,
    place: &'n Place,
    entries: &'n [(Key, Node)],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(crate) fn open(node: &'n Node, what: &'static str, reader: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Mapping(entries) => Some(Self {
                what,
                place: &node.place,
                entries,
                known: Vec::new(),
            }),
            _ => reader.unexpected(node, &format!("{what}: a mapping")),
        }
    }

    /// The value of a key. None: it is wrong or missing and has no default, and that has been reported.
    pub(crate) fn take<T: Read>(
        &mut self,
        key: &'static str,
        default: Option<T>,
        reader: &mut Reader,
    ) -> Option<T> {
        self.known.push(key);
        let found = self.entries.iter().find(|(known, _)| known.text == key);
        let default = default.or_else(T::missing);
        match (found, default) {
            (None, Some(default)) => Some(default),
            (None, None) => {
                // A misspelt key is reported as such in `close`, with this one as its hint.
                if self.misspelt(key).is_none() {
                    reader.problems.push(Problem::at(
                        self.place,
                        format!("{} needs the key `{key}`", self.what),
                    ));
                }
                None
            }
            (Some((_, node)), Some(default)) if node.is_null() => Some(default),
            (Some((key, node)), None) if node.is_null() => reader.report(Problem::at(
                &key.place,
                format!("`{}` has no value", key.text),
            )),
            // What is wrong has been reported; the default lets the rest be looked at.
            (Some((_, node)), default) => T::read(node, reader).or(default),
        }
    }

    /// A key that nobody asks for and that looks like this one.
    fn misspelt(&self, key: &'static str) -> Option<&Key> {
        self.entries.iter().map(|(known, _)| known).find(|known| {
            !self.known.contains(&known.text.as_str())
                && suggest::nearest(&known.text, [key]).is_some()
        })
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn close(self, reader: &mut Reader) {
        for (key, _) in self.entries {
            if self.known.contains(&key.text.as_str()) {
                continue;
            }
            let unused = || {
                self.known
                    .iter()
                    .copied()
                    .filter(|known| self.entries.iter().all(|(k, _)| k.text != *known))
            };
            let hint = suggest::did_you_mean(&key.text, unused())
                .or_else(|| suggest::did_you_mean(&key.text, self.known.iter().copied()))
                .unwrap_or_else(|| format!("{} has {}", self.what, listed(&self.known)));
            reader
                .problems
                .push(Problem::at(&key.place, format!("unknown key `{}`", key.text)).hint(hint));
        }
    }
}

/// `a`, `b` and `c`
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => "no keys".to_owned(),
        Some((only, [])) => format!("only {only}"),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
