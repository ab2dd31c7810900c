//! Versions as <https://semver.org> numbers them.

use std::fmt;
use std::str::FromStr;

/// `1.2.3`; what follows (`-beta`, `+build`) is left aside, and what is missing is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Another one breaks readers.
    pub major: u32,
    /// Another one adds.
    pub minor: u32,
    /// Another one mends.
    pub patch: u32,
}

impl FromStr for Version {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = text.split(['-', '+']).next().unwrap_or_default();
        let mut parts = plain
            .split('.')
            .map(|part| part.parse::<u32>().map_err(|_| ()));
        let mut next = |needed: bool| match parts.next() {
            Some(part) => part,
            None if needed => Err(()),
            None => Ok(0),
        };
        let version = Self {
            major: next(true)?,
            minor: next(false)?,
            patch: next(false)?,
        };
        parts.next().map_or(Ok(version), |_| Err(()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
