//! Every pair that rules give, once, on all processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use comboi_engine::Interrupter;

use crate::Error;
use crate::pair::{Data, Look};
use crate::rules::{Found, Groups, Index, first_common, holds};

/// About as many pairs are one piece of work.
const PIECE: u64 = 100_000;

/// So many pairs are seen one after the other, once their records are near the processor.
const AT_ONCE: usize = 64;

/// Pairs of one rule: those of some of its keys, or of some of the records of one.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    rule: usize,
    keys: (usize, usize),
    /// Of a single key: which of its left records.
    within: Option<(usize, usize)>,
    pub(crate) pairs: u64,
}

/// Sees each pair of a piece.
pub(crate) trait Visit {
    /// `rule` is the first that has the pair; the left record is the one of the smaller rank.
    fn pair(&mut self, rule: usize, l: u32, r: u32, look: &mut Look);
}

/// The work that rules give.
pub(crate) fn pieces(rules: &[Index<'_>]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (rule, index) in rules.iter().enumerate() {
        let (left, right) = match &index.found {
            Found::Keyed { left, right, .. } => (left, right.as_ref()),
            Found::Exploded { groups, .. } => (groups, None),
            Found::Listed(pairs) => {
                let step = usize::try_from(PIECE).unwrap_or(usize::MAX);
                for from in (0..pairs.len()).step_by(step) {
                    let to = (from + step).min(pairs.len());
                    pieces.push(Piece {
                        rule,
                        keys: (from, to),
                        within: None,
                        pairs: (to - from) as u64,
                    });
                }
                continue;
            }
        };
        pieces_of(rule, left, right, &mut pieces);
    }
    pieces
}

fn pieces_of(rule: usize, left: &Groups, right: Option<&Groups>, pieces: &mut Vec<Piece>) {
    let (mut from, mut sum) = (1, 0_u64);
    let mut close = |from: usize, to: usize, sum: u64| {
        if sum > 0 {
            pieces.push(Piece {
                rule,
                keys: (from, to),
                within: None,
                pairs: sum,
            });
        }
    };
    let mut large = Vec::new();
    for key in 1..left.count() {
        let of_left = left.get(key).len() as u64;
        let pairs = match right {
            None => of_left * of_left.saturating_sub(1) / 2,
            Some(right) => of_left * right.get(key).len() as u64,
        };
        if pairs > 2 * PIECE {
            close(from, key, sum);
            (from, sum) = (key + 1, 0);
            large.push((key, of_left, pairs));
            continue;
        }
        sum += pairs;
        if sum > PIECE {
            close(from, key + 1, sum);
            (from, sum) = (key + 1, 0);
        }
    }
    close(from, left.count(), sum);
    for (key, of_left, pairs) in large {
        let parts = (pairs / PIECE).min(of_left).max(1);
        let bound = |part: u64| usize::try_from(of_left * part / parts).unwrap_or(usize::MAX);
        for part in 0..parts {
            pieces.push(Piece {
                rule,
                keys: (key, key + 1),
                within: Some((bound(part), bound(part + 1))),
                pairs: pairs / parts,
            });
        }
    }
}

/// Walks pieces on so many threads, each with a visitor of its own; the visitors come back in the order of the pieces.
pub(crate) fn walk<V: Visit + Send>(
    data: &Data,
    rules: &[Index<'_>],
    pieces: &[Piece],
    threads: usize,
    interrupter: &Interrupter,
    visitor: impl Fn() -> V + Sync,
) -> Result<Vec<V>, Error> {
    let done = on_threads(pieces.len(), threads, interrupter, |at, look| {
        let mut visitor = visitor();
        if let Some(piece) = pieces.get(at) {
            each_pair(data, rules, piece, look, &mut visitor);
        }
        visitor
    })?;
    Ok(done)
}

/// Does so many pieces of work; what they give comes back in their order.
pub(crate) fn on_threads<T: Send>(
    count: usize,
    threads: usize,
    interrupter: &Interrupter,
    work: impl Fn(usize, &mut Look) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let next = AtomicUsize::new(0);
    let run = || {
        let (mut look, mut done) = (Look::default(), Vec::new());
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count || interrupter.stopped() {
                return done;
            }
            done.push((at, work(at, &mut look)));
        }
    };
    let mut done: Vec<(usize, T)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for other in others {
            done.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        done
    });
    if interrupter.stopped() {
        return Err(comboi_engine::Error::Interrupted.into());
    }
    done.sort_by_key(|it| it.0);
    Ok(done.into_iter().map(|it| it.1).collect())
}

fn each_pair(
    data: &Data,
    rules: &[Index<'_>],
    piece: &Piece,
    look: &mut Look,
    visitor: &mut impl Visit,
) {
    let earlier = &rules[..piece.rule];
    let mut waiting: Vec<(u32, u32)> = Vec::with_capacity(AT_ONCE);
    let mut see = |waiting: &mut Vec<(u32, u32)>, look: &mut Look| {
        data.fetch(waiting);
        for (l, r) in waiting.drain(..) {
            let rows = (data.row(l), data.row(r));
            if !earlier.iter().any(|it| it.has(data, l, r, rows, look)) {
                visitor.pair(piece.rule, l, r, look);
            }
        }
    };
    let mut give = |l: u32, r: u32, look: &mut Look| {
        waiting.push((l, r));
        if waiting.len() == AT_ONCE {
            see(&mut waiting, look);
        }
    };
    match &rules[piece.rule].found {
        Found::Listed(pairs) => {
            for (l, r) in &pairs[piece.keys.0..piece.keys.1] {
                give(*l, *r, look);
            }
        }
        Found::Exploded { groups, keys } => {
            for key in piece.keys.0..piece.keys.1 {
                let group = groups.get(key);
                let number = u32::try_from(key).unwrap_or(u32::MAX);
                for (i, l) in within(group, piece.within) {
                    for r in &group[i + 1..] {
                        let first = first_common(&keys[l as usize], &keys[*r as usize]);
                        if first == Some(number) {
                            give(l, *r, look);
                        }
                    }
                }
            }
        }
        Found::Keyed {
            left, right, rest, ..
        } => {
            for key in piece.keys.0..piece.keys.1 {
                let group = left.get(key);
                for (i, l) in within(group, piece.within) {
                    let others = match right {
                        None => &group[i + 1..],
                        // They ascend, so those after the left record are at the end.
                        Some(right) => {
                            let others = right.get(key);
                            &others[others.partition_point(|it| *it <= l)..]
                        }
                    };
                    for r in others {
                        if rest.is_none_or(|it| holds(it, data, l, *r, look)) {
                            give(l, *r, look);
                        }
                    }
                }
            }
        }
    }
    see(&mut waiting, look);
}

fn within(group: &[u32], part: Option<(usize, usize)>) -> impl Iterator<Item = (usize, u32)> + '_ {
    let (from, to) = part.unwrap_or((0, group.len()));
    (from..to.min(group.len())).map(|i| (i, group[i]))
}
