//! Where values of JSON end, whatever they are.

use memchr::{memchr, memchr2};

/// Finds where values end, whatever they are: texts are skipped, brackets counted.
#[derive(Default)]
pub(super) struct Scanner {
    /// How far it has looked.
    pub(super) at: usize,
    pub(super) depth: usize,
    pub(super) in_text: bool,
    /// Whether the record is a line.
    pub(super) by_line: bool,
}

impl Scanner {
    /// Where the comma or the bracket stands that ends the value. `None`: not in these bytes.
    pub(super) fn ended(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let byte = self.structure(bytes)?;
            match byte {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => self.depth -= 1,
                b',' if self.depth > 0 => {}
                _ => return Some(self.at),
            }
            self.at += 1;
        }
    }

    /// Where the object or array ends that begins in these bytes.
    pub(super) fn closed(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            match self.structure(bytes)? {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 1;
            if self.depth == 0 {
                return Some(self.at);
            }
        }
    }

    /// Where the line ends.
    pub(super) fn line_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let found = memchr(b'\n', bytes.get(self.at..).unwrap_or_default());
        if found.is_none() {
            self.at = bytes.len();
        }
        found.map(|found| self.at + found)
    }

    /// The next bracket or comma outside texts; it stands at `self.at`.
    fn structure(&mut self, bytes: &[u8]) -> Option<u8> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            if self.in_text {
                let Some(found) = memchr2(b'"', b'\\', rest) else {
                    self.at = bytes.len();
                    return None;
                };
                self.at += found;
                if bytes.get(self.at) == Some(&b'"') {
                    self.in_text = false;
                    self.at += 1;
                } else if self.at + 1 < bytes.len() {
                    self.at += 2;
                } else {
                    return None;
                }
                continue;
            }
            let of_interest = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',');
            let Some(found) = rest.iter().position(of_interest) else {
                self.at = bytes.len();
                return None;
            };
            self.at += found;
            match bytes.get(self.at)? {
                b'"' => {
                    self.in_text = true;
                    self.at += 1;
                }
                byte => return Some(*byte),
            }
        }
    }
}
