//! Where in a JSON file its values are.

use std::collections::HashMap;
use std::path::Path;

use comboi_project::Place;

/// The place of each value and of each key's value, by JSON pointer. The text is well-formed.
pub(super) struct Places {
    file: Place,
    starts: HashMap<String, (u32, u32)>,
}

impl Places {
    pub(super) fn of(text: &str, file: &Path) -> Self {
        let mut scan = Scan {
            chars: text.chars().peekable(),
            line: 1,
            column: 1,
            starts: HashMap::new(),
        };
        scan.value(&mut String::new());
        Self {
            file: Place::file(file),
            starts: scan.starts,
        }
    }

    pub(super) fn get(&self, pointer: &str) -> Place {
        let (line, column) = self.starts.get(pointer).copied().unwrap_or_default();
        Place {
            line,
            column,
            ..self.file.clone()
        }
    }
}

struct Scan<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
    column: u32,
    starts: HashMap<String, (u32, u32)>,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn skip(&mut self, also: &[char]) {
        while let Some(c) = self.chars.peek() {
            if !c.is_whitespace() && !also.contains(c) {
                return;
            }
            self.next();
        }
    }

    fn value(&mut self, pointer: &mut String) {
        self.skip(&[]);
        self.starts
            .insert(pointer.clone(), (self.line, self.column));
        match self.chars.peek() {
            Some('{') => self.members(pointer),
            Some('[') => self.items(pointer),
            Some('"') => drop(self.string()),
            _ => {
                while self
                    .chars
                    .peek()
                    .is_some_and(|c| !",]} \n\r\t".contains(*c))
                {
                    self.next();
                }
            }
        }
    }

    fn members(&mut self, pointer: &mut String) {
        self.next();
        loop {
            self.skip(&[',']);
            if self.chars.peek() != Some(&'"') {
                self.next();
                return;
            }
            let at = (self.line, self.column);
            let key = self.string();
            self.skip(&[':']);
            let length = pointer.len();
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            self.value(pointer);
            // An unknown key is reported where it stands.
            self.starts.insert(format!("{pointer}#"), at);
            pointer.truncate(length);
        }
    }

    fn items(&mut self, pointer: &mut String) {
        self.next();
        for i in 0_usize.. {
            self.skip(&[',']);
            if matches!(self.chars.peek(), None | Some(']')) {
                self.next();
                return;
            }
            let length = pointer.len();
            pointer.push_str(&format!("/{i}"));
            self.value(pointer);
            pointer.truncate(length);
        }
    }

    /// Escapes stay as they are but for a quote's own: keys of settings have none.
    fn string(&mut self) -> String {
        let mut text = String::new();
        self.next();
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' => text.extend(self.next()),
                c => text.push(c),
            }
        }
        text
    }
}
