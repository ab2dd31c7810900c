//! A pair of records, held against each other.

use crate::compile::Class;
pub(crate) use crate::compile::{Likeness, Op};
use crate::dictionary::Texts;
use crate::expression::Side;
use crate::text::{self, Scratch};

/// A word of one of the two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) side: Side,
    pub(crate) at: u32,
}

/// Something that holds for a pair or not; what is NULL does not.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Is { place: Place, word: u32 },
    Not { place: Place, word: u32 },
    EitherIs { a: Place, b: Place, word: u32 },
    Equal(Place, Place),
    Differ(Place, Place),
    NotDistinct(Place, Place),
    Distinct(Place, Place),
    Kernel { kernel: usize, op: Op, bound: f64 },
    Compare(Box<(Number, Op, Number)>),
}

/// A number of a pair.
#[derive(Clone, Debug)]
pub(crate) enum Number {
    At(Place),
    Constant(f64),
    Kernel(usize),
    Minus(Box<Number>, Box<Number>),
    Plus(Box<Number>, Box<Number>),
    Over(Box<Number>, Box<Number>),
    Absolute(Box<Number>),
    Least(Vec<Number>),
    Greatest(Vec<Number>),
}

impl Test {
    /// Whether it needs no kernel.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Kernel { .. } => false,
            Self::All(parts) | Self::Any(parts) => parts.iter().all(Self::is_plain),
            Self::Compare(it) => it.0.is_plain() && it.2.is_plain(),
            _ => true,
        }
    }
}

impl Number {
    fn is_plain(&self) -> bool {
        match self {
            Self::Kernel(_) => false,
            Self::At(_) | Self::Constant(_) => true,
            Self::Minus(a, b) | Self::Plus(a, b) | Self::Over(a, b) => a.is_plain() && b.is_plain(),
            Self::Absolute(inner) => inner.is_plain(),
            Self::Least(parts) | Self::Greatest(parts) => parts.iter().all(Self::is_plain),
        }
    }
}

/// How alike two values are, which several levels may ask for.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// None: how many elements two lists have in common.
    likeness: Option<Likeness>,
    pub(crate) sources: (usize, usize),
    /// Where the texts of the two are, once they have been read.
    pub(crate) domains: (usize, usize),
    a: Place,
    b: Place,
    /// The least and the greatest that it is held against. None: it must be right whatever it is.
    bounds: Option<(f64, f64)>,
    /// What it takes to reach the least of them, if it is more than nothing.
    needed: Option<[f64; 5]>,
}

impl Kernel {
    pub(crate) fn new(
        likeness: Option<Likeness>,
        sources: (usize, usize),
        a: Place,
        b: Place,
    ) -> Self {
        Self {
            likeness,
            sources,
            domains: (0, 0),
            a,
            b,
            bounds: Some((f64::INFINITY, f64::NEG_INFINITY)),
            needed: None,
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.likeness, self.a, self.b) == (other.likeness, other.a, other.b)
    }

    /// Whether it needs the letters of texts, or the elements of lists.
    pub(crate) fn is_of_texts(&self) -> bool {
        self.likeness.is_some()
    }

    pub(crate) fn must_be_right_at(&mut self, bound: Option<f64>) {
        self.bounds = match (self.bounds, bound) {
            (Some((least, most)), Some(bound)) => Some((least.min(bound), most.max(bound))),
            _ => None,
        };
        let least = self.bounds.map(|it| it.0).filter(|it| *it > 0.0);
        self.needed = least.map(|it| match self.likeness {
            Some(Likeness::Jaro) => [text::needed(it)[0]; 5],
            _ => text::needed(it),
        });
    }
}

/// All records as rows of words, with what the words stand for.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) words: Vec<u32>,
    pub(crate) width: usize,
    pub(crate) texts: Vec<Texts>,
    pub(crate) lists: Lists,
}

/// Sorted lists of codes; a record's word is the number of its list, from 1.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) ends: Vec<u32>,
    pub(crate) codes: Vec<u32>,
}

impl Lists {
    pub(crate) fn push(&mut self, codes: &[u32]) -> u32 {
        self.codes.extend_from_slice(codes);
        self.ends
            .push(u32::try_from(self.codes.len()).unwrap_or(u32::MAX));
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    fn get(&self, word: u32) -> &[u32] {
        let number = word as usize;
        let end = |number: usize| match number.checked_sub(1) {
            Some(at) => self.ends.get(at).map_or(0, |it| *it as usize),
            None => 0,
        };
        self.codes
            .get(end(number - 1)..end(number))
            .unwrap_or_default()
    }
}

impl Data {
    pub(crate) fn row_count(&self) -> u32 {
        let rows = self.words.len().checked_div(self.width).unwrap_or(0);
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    /// How many bytes it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let numbers = self.words.len() + self.lists.ends.len() + self.lists.codes.len();
        let texts: usize = self.texts.iter().map(Texts::bytes).sum();
        (4 * numbers + texts) as u64
    }

    /// Looks at the records of some pairs and does nothing with them, so that the processor waits for all of them at once and not for one after the other.
    pub(crate) fn fetch(&self, pairs: &[(u32, u32)]) {
        let ends = |rank: u32| {
            let row = self.row(rank);
            row.first().unwrap_or(&0) ^ row.last().unwrap_or(&0)
        };
        let seen = pairs
            .iter()
            .fold(0, |sum, (l, r)| sum ^ ends(*l) ^ ends(*r));
        std::hint::black_box(seen);
    }

    #[inline]
    pub(crate) fn row(&self, rank: u32) -> &[u32] {
        let from = rank as usize * self.width;
        self.words.get(from..from + self.width).unwrap_or_default()
    }
}

/// What a thread needs to look at pairs.
#[derive(Default)]
pub(crate) struct Look {
    scratch: Scratch,
    /// What kernels said of the pair at hand; NaN stands for NULL.
    said: Vec<Option<f64>>,
}

/// Two records, and the kernels of what is asked of them.
pub(crate) struct Pair<'a> {
    pub(crate) data: &'a Data,
    pub(crate) l: &'a [u32],
    pub(crate) r: &'a [u32],
}

impl Pair<'_> {
    /// The first of these tests that holds.
    #[inline]
    pub(crate) fn first(
        &self,
        tests: &[Test],
        kernels: &[Kernel],
        look: &mut Look,
    ) -> Option<usize> {
        if !kernels.is_empty() {
            look.said.clear();
            look.said.resize(kernels.len(), None);
        }
        tests.iter().position(|it| self.holds(it, kernels, look))
    }

    #[inline]
    fn word(&self, place: Place) -> u32 {
        let row = match place.side {
            Side::Left => self.l,
            Side::Right => self.r,
        };
        row[place.at as usize]
    }

    /// What is asked of most pairs stands here, where it is inlined.
    #[inline]
    fn holds(&self, test: &Test, kernels: &[Kernel], look: &mut Look) -> bool {
        match test {
            Test::Equal(a, b) => {
                let a = self.word(*a);
                a != 0 && a == self.word(*b)
            }
            Test::EitherIs { a, b, word } => self.word(*a) == *word || self.word(*b) == *word,
            other => self.holds_other(other, kernels, look),
        }
    }

    fn holds_other(&self, test: &Test, kernels: &[Kernel], look: &mut Look) -> bool {
        match test {
            Test::Kernel { kernel, op, bound } => {
                let said = self.kernel(*kernel, kernels, look);
                !said.is_nan() && op.holds(said, *bound)
            }
            Test::All(parts) => parts.iter().all(|it| self.holds(it, kernels, look)),
            Test::Any(parts) => parts.iter().any(|it| self.holds(it, kernels, look)),
            Test::Is { place, word } => self.word(*place) == *word,
            Test::Not { place, word } => self.word(*place) != *word,
            Test::Differ(a, b) => {
                let (a, b) = (self.word(*a), self.word(*b));
                a != 0 && b != 0 && a != b
            }
            Test::NotDistinct(a, b) => self.word(*a) == self.word(*b),
            Test::Distinct(a, b) => self.word(*a) != self.word(*b),
            Test::Compare(it) => {
                let (left, op, right) = &**it;
                let left = self.number(left, kernels, look);
                let right = self.number(right, kernels, look);
                matches!((left, right), (Some(left), Some(right)) if op.holds(left, right))
            }
            Test::Equal(..) | Test::EitherIs { .. } => self.holds(test, kernels, look),
        }
    }

    fn number(&self, number: &Number, kernels: &[Kernel], look: &mut Look) -> Option<f64> {
        Some(match number {
            Number::Constant(it) => *it,
            Number::At(place) => {
                let word = |offset: u32| {
                    self.word(Place {
                        at: place.at + offset,
                        ..*place
                    })
                };
                if word(0) == 0 {
                    return None;
                }
                f64::from_bits(u64::from(word(1)) << 32 | u64::from(word(2)))
            }
            Number::Kernel(at) => {
                let said = self.kernel(*at, kernels, look);
                if said.is_nan() {
                    return None;
                }
                said
            }
            Number::Minus(a, b) => {
                self.number(a, kernels, look)? - self.number(b, kernels, look)?
            }
            Number::Plus(a, b) => self.number(a, kernels, look)? + self.number(b, kernels, look)?,
            Number::Over(a, b) => {
                let (a, b) = (
                    self.number(a, kernels, look)?,
                    self.number(b, kernels, look)?,
                );
                // DuckDB's division by zero is NULL.
                if b == 0.0 {
                    return None;
                }
                a / b
            }
            Number::Absolute(inner) => self.number(inner, kernels, look)?.abs(),
            // These pass NULLs over.
            Number::Least(parts) | Number::Greatest(parts) => {
                let better = if matches!(number, Number::Least(_)) {
                    Op::Less
                } else {
                    Op::More
                };
                let values = parts.iter().filter_map(|it| self.number(it, kernels, look));
                values.reduce(|best, it| if better.holds(it, best) { it } else { best })?
            }
        })
    }

    /// What a kernel says; NaN stands for NULL.
    fn kernel(&self, at: usize, kernels: &[Kernel], look: &mut Look) -> f64 {
        if let Some(said) = look.said[at] {
            return said;
        }
        let said = self.compute(&kernels[at], &mut look.scratch);
        look.said[at] = Some(said);
        said
    }

    fn compute(&self, kernel: &Kernel, scratch: &mut Scratch) -> f64 {
        let (a, b) = (self.word(kernel.a), self.word(kernel.b));
        if a == 0 || b == 0 {
            return f64::NAN;
        }
        let Some(likeness) = kernel.likeness else {
            return in_common(self.data.lists.get(a), self.data.lists.get(b));
        };
        let (texts_a, texts_b) = (
            &self.data.texts[kernel.domains.0],
            &self.data.texts[kernel.domains.1],
        );
        let (bag_a, bag_b) = (texts_a.bag(a), texts_b.bag(b));
        match likeness {
            Likeness::Levenshtein | Likeness::Damerau => {
                let most = kernel.bounds.map_or(f64::INFINITY, |it| it.1);
                if f64::from(bag_a.least_distant(&bag_b)) > most {
                    return f64::INFINITY;
                }
            }
            Likeness::JaroWinkler | Likeness::Jaro => {
                if kernel
                    .needed
                    .is_some_and(|it| !bag_a.may_reach(&bag_b, it[4]))
                {
                    return 0.0;
                }
            }
            Likeness::Jaccard => {}
        }
        let (a, b) = (texts_a.get(a), texts_b.get(b));
        match likeness {
            Likeness::JaroWinkler => {
                let prefix = text::prefix(a, b);
                if kernel
                    .needed
                    .is_some_and(|it| !bag_a.may_reach(&bag_b, it[prefix as usize]))
                {
                    return 0.0;
                }
                scratch.jaro_winkler(a, b)
            }
            Likeness::Jaro => scratch.jaro(a, b),
            Likeness::Jaccard => text::jaccard(a, b).unwrap_or(f64::NAN),
            Likeness::Levenshtein => f64::from(scratch.levenshtein(a, b)),
            Likeness::Damerau => {
                let most = kernel
                    .bounds
                    .map_or(f64::from(u32::MAX), |it| it.1.clamp(0.0, 1e9));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it lies between 0 and 2^32"
                )]
                let distance = scratch.damerau(a, b, most.ceil() as u32);
                f64::from(distance)
            }
        }
    }
}

/// How many codes two sorted lists have in common.
fn in_common(a: &[u32], b: &[u32]) -> f64 {
    let (mut i, mut j, mut count) = (0, 0, 0_u32);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                (i, j, count) = (i + 1, j + 1, count + 1);
            }
        }
    }
    f64::from(count)
}

/// The word that a truth value is.
pub(crate) fn flag_word(value: Option<bool>) -> u32 {
    value.map_or(0, |it| if it { 2 } else { 1 })
}

/// Whether a type's values can be the letters of a kernel.
pub(crate) fn has_letters(class: &Class) -> bool {
    *class == Class::Text
}
