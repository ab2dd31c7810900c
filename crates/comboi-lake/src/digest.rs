//! Digests of data files: a disk may give back other bytes than were written, without an error.
//!
//! A digest stands in the commit that adds its file, among the tags of the `add` action, and is
//! compared whenever the file is about to be read. It is XXH3 with 128 bits, which is as fast as
//! memory. It finds damage, not forgery.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use twox_hash::xxhash3_128::Hasher;

/// The tags of an `add` action.
pub(crate) type Tags = HashMap<String, Option<String>>;
/// The tag of an `add` action.
pub(crate) const TAG: &str = "comboi.digest";
/// What a digest begins with, for other algorithms may come.
const XXH3: &str = "xxh3-128:";
/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// XXH3 of a file, with 128 bits and the seed 0: what `xxhsum -H128` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    /// Reads a file from its beginning.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let mut digester = Digester::new();
        let mut piece = vec![0; PIECE];
        let mut file = file;
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(digester.finish()),
                Ok(size) => digester.add(piece.get(..size).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The digest among the tags of a file. `None` if there is none, or none that is known here.
    pub(crate) fn tagged(tags: &Tags) -> Option<Self> {
        Self::parse(tags.get(TAG)?.as_deref()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(XXH3)?;
        u128::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{XXH3}{:032x}", self.0)
    }
}

/// Makes a digest of bytes that come in pieces.
pub(crate) struct Digester(Hasher);

impl Digester {
    pub(crate) fn new() -> Self {
        Self(Hasher::new())
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(crate) fn finish(&self) -> Digest {
        Digest(self.0.finish_128())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    /// From Python's `xxhash`, which is the C library.
    #[test]
    fn a_digest_is_the_one_that_others_compute() {
        for (bytes, expected) in [
            (Vec::new(), "99aa06d3014798d86001c324468d497f"),
            (b"abc".to_vec(), "06b05ab6733a618578af5f94892f3950"),
            (
                (0..3 * 1024 * 1024 + 7)
                    .map(|i: u32| u8::try_from(i % 251).unwrap())
                    .collect(),
                "6fca2ec0e3e5f43862cb94c36b8a258f",
            ),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            file.rewind().unwrap();
            let digest = Digest::of(&file).unwrap();
            assert_eq!(digest.to_string(), format!("xxh3-128:{expected}"));
            assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        }
    }

    #[test]
    fn a_digest_of_another_algorithm_is_none() {
        assert_eq!(Digest::parse("sha256:00"), None);
        assert_eq!(Digest::parse("xxh3-128:none"), None);
    }
}
