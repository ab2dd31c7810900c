//! Values by number: equal ones have the same, and NULL has 0.

use std::hash::BuildHasher;
use std::thread;

use comboi_engine::NumberedTexts;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::text::Bag;

/// Texts by number.
#[derive(Clone, Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    /// Where each begins; the first number is that of NULL, which begins where the next one does.
    starts: Vec<u64>,
    /// Of each, unless they are so many that they would take too much memory: then they are made where they are needed.
    bags: Vec<[u32; 4]>,
}

/// So many bags are kept of one dictionary.
const BAGS: usize = 1 << 23;

impl Texts {
    pub(crate) fn get(&self, code: u32) -> &[u8] {
        let at = code as usize;
        let from = usize::try_from(self.starts[at]).unwrap_or(usize::MAX);
        let to = self.starts.get(at + 1).map_or(self.bytes.len(), |it| {
            usize::try_from(*it).unwrap_or(usize::MAX)
        });
        &self.bytes[from..to]
    }

    /// Finds out what the texts are made of, on so many threads.
    pub(crate) fn fill_bags(&mut self, threads: usize) {
        let count = self.starts.len();
        if !(1..=BAGS).contains(&count) {
            return;
        }
        let mut bags = vec![[0; 4]; count];
        let each = count.div_ceil(threads.max(1));
        thread::scope(|scope| {
            for (from, bags) in (0..).step_by(each).zip(bags.chunks_mut(each)) {
                let texts = &*self;
                scope.spawn(move || {
                    for (code, bag) in (from..).zip(bags) {
                        *bag = Bag::of(texts.get(number(code))).packed();
                    }
                });
            }
        });
        self.bags = bags;
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + 8 * self.starts.len() + 16 * self.bags.len()
    }

    pub(crate) fn bag(&self, code: u32) -> Bag {
        let kept = self.bags.get(code as usize);
        kept.map_or_else(|| Bag::of(self.get(code)), |it| Bag::unpacked(*it))
    }
}

impl NumberedTexts for Texts {
    /// That of NULL is among them.
    fn count(&self) -> u32 {
        number(self.starts.len())
    }

    fn text(&self, code: u32) -> Option<&str> {
        match code {
            0 => None,
            code => std::str::from_utf8(self.get(code)).ok(),
        }
    }
}

/// A dictionary in the making.
#[derive(Default)]
pub(crate) struct Dictionary {
    texts: Texts,
    words: Vec<u64>,
    table: HashTable<(u32, u32)>,
}

const HASH: FixedState = FixedState::with_seed(0);

impl Dictionary {
    /// The numbers of some texts, in their order. Where the table and the texts are too large to be near the processor, it looks for several at once:
    /// so a few at a time.
    pub(crate) fn texts(&mut self, values: &[&[u8]], mut each: impl FnMut(usize, u32)) {
        const AT_ONCE: usize = 32;
        if self.texts.starts.is_empty() {
            self.texts.starts.push(0);
        }
        let (mut shorts, mut likely) = ([0_u32; AT_ONCE], [0_u32; AT_ONCE]);
        for (from, values) in (0..).step_by(AT_ONCE).zip(values.chunks(AT_ONCE)) {
            for (short, value) in shorts.iter_mut().zip(values) {
                *short = upper(HASH.hash_one(value));
            }
            for (likely, short) in likely.iter_mut().zip(&shorts[..values.len()]) {
                let found = self.table.find(spread(*short), |(known, _)| known == short);
                *likely = found.map_or(0, |(_, code)| *code);
            }
            for (i, value) in values.iter().enumerate() {
                let known = likely[i] != 0 && self.texts.get(likely[i]) == *value;
                let code = if known {
                    likely[i]
                } else {
                    self.find_or_add(value, shorts[i])
                };
                each(from + i, code);
            }
        }
    }

    fn find_or_add(&mut self, value: &[u8], short: u32) -> u32 {
        let Self { texts, table, .. } = self;
        let found = table.find(spread(short), |(known, code)| {
            *known == short && texts.get(*code) == value
        });
        if let Some((_, code)) = found {
            return *code;
        }
        let code = number(texts.starts.len());
        texts.starts.push(texts.bytes.len() as u64);
        texts.bytes.extend_from_slice(value);
        // A table that grows need not look at the texts.
        table.insert_unique(spread(short), (short, code), |(short, _)| spread(*short));
        code
    }

    /// The number of 64 bits.
    pub(crate) fn word(&mut self, value: u64) -> u32 {
        let hash = HASH.hash_one(value);
        let Self { words, table, .. } = self;
        let word = |code: u32| words[code as usize - 1];
        if let Some((_, code)) = table.find(hash, |(_, code)| word(*code) == value) {
            return *code;
        }
        words.push(value);
        let code = number(words.len());
        let words = &*words;
        table.insert_unique(hash, (0, code), |(_, code)| {
            HASH.hash_one(words[*code as usize - 1])
        });
        code
    }

    /// One more than the greatest number.
    pub(crate) fn end(&self) -> usize {
        self.texts.starts.len().max(self.words.len() + 1)
    }

    /// The texts.
    pub(crate) fn into_texts(self) -> Texts {
        let mut texts = self.texts;
        texts.bytes.shrink_to_fit();
        texts
    }
}

/// A place or a count, of which there are not more: records are numbered by 32 bits.
pub(crate) fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// The hash that the table goes by: it takes bits from both ends.
fn spread(short: u32) -> u64 {
    u64::from(short) << 32 | u64::from(short)
}

fn upper(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Dictionary;

    #[test]
    fn equal_values_have_the_same_number() {
        let mut texts = Dictionary::default();
        let mut codes = Vec::new();
        texts.texts(&[b"a", b"", b"b", b"a", b""], |at, code| {
            codes.push((at, code));
        });
        assert_eq!(codes, [(0, 1), (1, 2), (2, 3), (3, 1), (4, 2)]);
        assert_eq!(texts.end(), 4);
        let texts = texts.into_texts();
        assert_eq!(
            [texts.get(1), texts.get(2), texts.get(3)],
            [&b"a"[..], b"", b"b"]
        );
        let mut words = Dictionary::default();
        assert_eq!([7, 0, 7, 9].map(|it| words.word(it)), [1, 2, 1, 3]);
        assert_eq!(words.end(), 4);
    }

    #[test]
    fn a_bag_is_the_same_whether_it_was_kept_or_not() {
        let mut texts = Dictionary::default();
        texts.texts(&[b"anna", b"hanna"], |_, _| ());
        let mut kept = texts.into_texts();
        kept.fill_bags(2);
        assert_eq!(kept.bags.len(), 3);
        let mut made = kept.clone();
        made.bags.clear();
        for code in [1, 2] {
            assert_eq!(kept.bag(code), made.bag(code));
        }
        assert_eq!(made.bag(1).least_distant(&made.bag(2)), 1);
    }

    /// Of so many texts some have the same half of a hash.
    #[test]
    fn texts_that_are_looked_up_at_once_are_told_apart() {
        let count = 300_000_u32;
        let written: Vec<String> = (0..count).map(|it| it.to_string()).collect();
        let values: Vec<&[u8]> = written.iter().map(String::as_bytes).collect();
        let mut texts = Dictionary::default();
        for time in ["new", "known"] {
            let mut codes = Vec::new();
            texts.texts(&values, |_, code| codes.push(code));
            assert!(codes.into_iter().eq(1..=count), "{time}");
        }
        assert_eq!(texts.end(), count as usize + 1);
    }
}
