//! How alike two texts are: DuckDB's functions, byte by byte, to the last bit.

/// What texts are held against each other with. One for each thread.
pub(crate) struct Scratch {
    /// For each byte, where it stands in the shorter text; all zero between two uses.
    places: Box<[u64; 256]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            places: Box::new([0; 256]),
        }
    }
}

impl Scratch {
    /// `jaro_similarity`: 0 where there is nothing to compare.
    pub(crate) fn jaro(&mut self, a: &[u8], b: &[u8]) -> f64 {
        if a.is_empty() || b.is_empty() {
            return 0.0;
        }
        let (common, swapped) = if a.len() <= 64 && b.len() <= 64 {
            self.matches(a, b)
        } else {
            long_matches(a, b)
        };
        if common == 0 {
            return 0.0;
        }
        let count = f64::from;
        let (la, lb) = (length(a), length(b));
        let mut sum = count(common) / count(la);
        sum += count(common) / count(lb);
        sum += (count(common) - count(swapped / 2)) / count(common);
        sum / 3.0
    }

    /// `jaro_winkler_similarity`.
    pub(crate) fn jaro_winkler(&mut self, a: &[u8], b: &[u8]) -> f64 {
        let jaro = self.jaro(a, b);
        if jaro > 0.7 {
            jaro + f64::from(prefix(a, b)) * 0.1 * (1.0 - jaro)
        } else {
            jaro
        }
    }

    /// Bytes that both have within reach of each other, and how many of them stand in another order.
    fn matches(&mut self, a: &[u8], b: &[u8]) -> (u32, u32) {
        for (i, byte) in a.iter().enumerate() {
            self.places[usize::from(*byte)] |= 1 << i;
        }
        let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
        let (mut in_a, mut in_b) = (0_u64, 0_u64);
        for (j, byte) in b.iter().enumerate() {
            let free = self.places[usize::from(*byte)] & !in_a & window(j, reach);
            if free != 0 {
                in_a |= free & free.wrapping_neg();
                in_b |= 1 << j;
            }
        }
        let common = in_a.count_ones();
        let mut swapped = 0;
        let (mut rest_a, mut rest_b) = (in_a, in_b);
        while rest_b != 0 {
            let (i, j) = (rest_a.trailing_zeros(), rest_b.trailing_zeros());
            swapped += u32::from(a.get(i as usize) != b.get(j as usize));
            rest_a &= rest_a.wrapping_sub(1);
            rest_b &= rest_b.wrapping_sub(1);
        }
        for byte in a {
            self.places[usize::from(*byte)] = 0;
        }
        (common, swapped)
    }

    /// `levenshtein`.
    pub(crate) fn levenshtein(&mut self, a: &[u8], b: &[u8]) -> u32 {
        let (a, b) = without_common_ends(a, b);
        let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
        if short.is_empty() {
            return length(long);
        }
        if short.len() > 64 {
            return long_levenshtein(short, long);
        }
        // Myers' bit vectors, as Hyyrö wrote them down.
        for (i, byte) in short.iter().enumerate() {
            self.places[usize::from(*byte)] |= 1 << i;
        }
        let last = 1_u64 << (short.len() - 1);
        let (mut up, mut down) = (u64::MAX, 0_u64);
        let mut distance = length(short);
        for byte in long {
            let equal = self.places[usize::from(*byte)];
            let diagonal = (((equal & up).wrapping_add(up)) ^ up) | equal | down;
            let (mut right_up, mut right_down) = (down | !(diagonal | up), up & diagonal);
            if right_up & last != 0 {
                distance += 1;
            }
            if right_down & last != 0 {
                distance -= 1;
            }
            right_up = (right_up << 1) | 1;
            right_down <<= 1;
            up = right_down | !(diagonal | right_up);
            down = right_up & diagonal;
        }
        for byte in short {
            self.places[usize::from(*byte)] = 0;
        }
        distance
    }

    /// `damerau_levenshtein`, if it is not more than `most`; else any number that is more.
    pub(crate) fn damerau(&mut self, a: &[u8], b: &[u8], most: u32) -> u32 {
        let (a, b) = without_common_ends(a, b);
        if a.is_empty() || b.is_empty() {
            return length(a).max(length(b));
        }
        if length(a).abs_diff(length(b)) > most {
            return u32::MAX;
        }
        // Two neighbours that changed places are two steps to Levenshtein, and no step is more.
        let plain = self.levenshtein(a, b);
        if plain <= 1 {
            return plain;
        }
        if plain > most.saturating_mul(2) {
            return u32::MAX;
        }
        damerau(a, b)
    }
}

/// `jaccard`: the share of different bytes that both have. None where DuckDB would refuse an empty text.
pub(crate) fn jaccard(a: &[u8], b: &[u8]) -> Option<f64> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let set = |text: &[u8]| {
        let mut set = [0_u64; 4];
        for byte in text {
            set[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        set
    };
    let (a, b) = (set(a), set(b));
    let (mut both, mut any) = (0, 0);
    for (a, b) in a.iter().zip(b) {
        both += (a & b).count_ones();
        any += (a | b).count_ones();
    }
    Some(f64::from(both) / f64::from(any))
}

/// How many bytes two texts begin with in common, up to 4.
pub(crate) fn prefix(a: &[u8], b: &[u8]) -> u32 {
    let same = a.iter().zip(b).take(4).take_while(|(a, b)| a == b).count();
    u32::try_from(same).unwrap_or(4)
}

/// What [`Bag::may_reach`] is asked with, by how many bytes two texts begin with in common (at most 4), so that Winkler's likeness may be as much as
/// this, which is more than 0. Without Winkler's bonus the first counts for all.
pub(crate) fn needed(alike: f64) -> [f64; 5] {
    [0.0, 0.1, 0.2, 0.3, 0.4].map(|bonus| {
        // The bonus is for those that are more than 0.7 alike without it.
        let jaro = if alike <= 0.7 {
            alike
        } else {
            ((alike - bonus) / (1.0 - bonus)).max(0.7)
        };
        3.0 * jaro - 1.0
    })
}

fn length(text: &[u8]) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// The places within reach of `at`.
fn window(at: usize, reach: usize) -> u64 {
    let to = at + reach + 1;
    let below = if to >= 64 { u64::MAX } else { (1 << to) - 1 };
    let from = at.saturating_sub(reach);
    if from >= 64 {
        0
    } else {
        below & (u64::MAX << from)
    }
}

fn without_common_ends<'a>(a: &'a [u8], b: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (a.split_at(start).1, b.split_at(start).1);
    let end = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (a.split_at(a.len() - end).0, b.split_at(b.len() - end).0)
}

fn long_matches(a: &[u8], b: &[u8]) -> (u32, u32) {
    let reach = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut in_a = vec![false; a.len()];
    let mut matched_b = Vec::new();
    for (j, byte) in b.iter().enumerate() {
        let from = j.saturating_sub(reach);
        let to = (j + reach + 1).min(a.len());
        let free = (from..to).find(|&i| !in_a[i] && a[i] == *byte);
        if let Some(i) = free {
            in_a[i] = true;
            matched_b.push(*byte);
        }
    }
    let matched_a = a
        .iter()
        .zip(&in_a)
        .filter(|(_, is)| **is)
        .map(|(byte, _)| byte);
    let swapped = matched_a.zip(&matched_b).filter(|(a, b)| a != b).count();
    (
        length(&matched_b),
        u32::try_from(swapped).unwrap_or(u32::MAX),
    )
}

fn long_levenshtein(a: &[u8], b: &[u8]) -> u32 {
    let mut row: Vec<u32> = (0..=length(a)).collect();
    for (j, cb) in (1_u32..).zip(b) {
        let mut before = row[0];
        row[0] = j;
        for (i, ca) in a.iter().enumerate() {
            let replaced = before + u32::from(ca != cb);
            before = row[i + 1];
            row[i + 1] = replaced.min(before + 1).min(row[i] + 1);
        }
    }
    row[a.len()]
}

/// The distance in which neighbours may change places, and be parted by what comes between them later.
fn damerau(a: &[u8], b: &[u8]) -> u32 {
    let width = b.len() + 2;
    let most = length(a) + length(b);
    let mut table = vec![0_u32; (a.len() + 2) * width];
    let at = |i: usize, j: usize| i * width + j;
    table[at(0, 0)] = most;
    for (i, value) in (0..=a.len()).zip(0_u32..) {
        table[at(i + 1, 0)] = most;
        table[at(i + 1, 1)] = value;
    }
    for (j, value) in (0..=b.len()).zip(0_u32..) {
        table[at(0, j + 1)] = most;
        table[at(1, j + 1)] = value;
    }
    let mut last_in_a = [0_usize; 256];
    for (i, ca) in (1..).zip(a) {
        let mut last_in_b = 0;
        for (j, cb) in (1..).zip(b) {
            let (i1, j1) = (last_in_a[usize::from(*cb)], last_in_b);
            let replaced = if ca == cb {
                last_in_b = j;
                0
            } else {
                1
            };
            let between = u32::try_from((i - i1 - 1) + 1 + (j - j1 - 1)).unwrap_or(u32::MAX);
            table[at(i + 1, j + 1)] = (table[at(i, j)] + replaced)
                .min(table[at(i + 1, j)] + 1)
                .min(table[at(i, j + 1)] + 1)
                .min(table[at(i1, j1)].saturating_add(between));
        }
        last_in_a[usize::from(*ca)] = i;
    }
    table[at(a.len() + 1, b.len() + 1)]
}

/// Which bytes a text is made of, so that it shows without looking at the text how many two can have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bag {
    /// Whether a letter (of 32 classes of bytes) is there once, twice, three times.
    times: [u32; 3],
    /// Letters beyond the third of their class.
    more: u16,
    /// All of them; of a text that is [`LONG`] nothing else is known.
    length: u16,
}

/// So many bytes, or more.
const LONG: u16 = u16::MAX;

impl Bag {
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut bag = Self {
            length: u16::try_from(text.len()).unwrap_or(LONG),
            ..Self::default()
        };
        if bag.length == LONG {
            return bag;
        }
        for byte in text {
            // What was there already is carried on to the next; without branches, as nobody can tell what comes.
            let mut carried = 1_u32 << (byte & 31);
            for times in &mut bag.times {
                let was = *times;
                *times |= carried;
                carried &= was;
            }
            bag.more += u16::from(carried != 0);
        }
        bag
    }

    /// The same as plain numbers: memory for many of those is only cleared where it is written.
    pub(crate) fn packed(&self) -> [u32; 4] {
        let [once, twice, thrice] = self.times;
        let more = u32::from(self.more) << 16 | u32::from(self.length);
        [once, twice, thrice, more]
    }

    pub(crate) fn unpacked([once, twice, thrice, more]: [u32; 4]) -> Self {
        let half = |of: u32| u16::try_from(of & u32::from(u16::MAX)).unwrap_or(LONG);
        Self {
            times: [once, twice, thrice],
            more: half(more >> 16),
            length: half(more),
        }
    }

    fn is_long(&self, other: &Self) -> bool {
        self.length == LONG || other.length == LONG
    }

    /// No fewer than the bytes that both have, if none is [`LONG`].
    fn common(&self, other: &Self) -> u32 {
        let shared = |i: usize| self.times[i] & other.times[i];
        let (once, twice, thrice) = (shared(0), shared(1), shared(2));
        // Three words added bit by bit take two counts.
        let half = once ^ twice;
        let carried = (once & twice) | (half & thrice);
        (half ^ thrice).count_ones()
            + 2 * carried.count_ones()
            + u32::from(self.more.min(other.more))
    }

    /// Whether two texts may be as alike to Jaro as it takes; see [`needed`] for `factor`.
    #[inline]
    pub(crate) fn may_reach(&self, other: &Self, factor: f64) -> bool {
        let (a, b) = (f64::from(self.length), f64::from(other.length));
        // (common / a + common / b + 1) / 3 is the most that there can be; a little is left for what is lost in rounding.
        self.is_long(other) || f64::from(self.common(other)) * (a + b) >= (factor - 1e-9) * a * b
    }

    /// No more than the distance of two texts.
    pub(crate) fn least_distant(&self, other: &Self) -> u32 {
        if self.is_long(other) {
            return 0;
        }
        u32::from(self.length.max(other.length)).saturating_sub(self.common(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bag_promises_no_less_than_there_is(a in "[a-c@é]{0,70}", b in "[a-d@é]{0,70}") {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let mut scratch = Scratch::default();
            let (bag_a, bag_b) = (Bag::of(a), Bag::of(b));
            let (jaro, winkler) = (scratch.jaro(a, b), scratch.jaro_winkler(a, b));
            for tenth in 1_u8..=20 {
                let alike = f64::from(tenth) / 20.0;
                let factors = needed(alike);
                prop_assert!(jaro < alike || bag_a.may_reach(&bag_b, factors[0]));
                prop_assert!(winkler < alike || bag_a.may_reach(&bag_b, factors[prefix(a, b) as usize]));
                prop_assert!(winkler < alike || bag_a.may_reach(&bag_b, factors[4]));
            }
            prop_assert!(jaro < winkler + 1e-9 && bag_a.may_reach(&bag_b, needed(winkler.max(0.01))[4]));
            prop_assert!(bag_a.least_distant(&bag_b) <= scratch.levenshtein(a, b));
            prop_assert!(bag_a.least_distant(&bag_b) <= damerau(a, b));
        }

        #[test]
        fn a_bag_of_a_long_text_promises_everything(a in 65_533_usize..65_540, b in 65_533_usize..65_540) {
            let (a, b) = (Bag::of(&vec![b'a'; a]), Bag::of(&vec![b'b'; b]));
            let long = a.is_long(&b);
            prop_assert!(!long || a.may_reach(&b, needed(1.0)[0]));
            prop_assert_eq!(a.least_distant(&b) == 0, long);
            prop_assert_eq!(Bag::unpacked(a.packed()), a);
        }

        #[test]
        fn short_ways_come_to_the_same_as_long_ones(a in "[abc]{1,30}", b in "[abc]{1,30}", most in 0_u32..5) {
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let mut scratch = Scratch::default();
            prop_assert_eq!(scratch.matches(a, b), long_matches(a, b));
            prop_assert_eq!(scratch.levenshtein(a, b), long_levenshtein(a, b));
            let (all, some) = (damerau(a, b), scratch.damerau(a, b, most));
            let right = if all <= most { some == all } else { some > most };
            prop_assert!(right, "{all} {some}");
        }
    }
}
