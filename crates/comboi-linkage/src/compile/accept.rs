//! Drafts made into what runs, now that the types of their parts are known.

use std::collections::HashMap;

use super::draft::{Amount, Draft, Likeness, One, Op};
use super::{Class, Sources};
use crate::expression::Side;
use crate::pair::{Kernel, Number, Place, Test};

/// What a record is at hand with: a row of words.
#[derive(Default)]
pub(crate) struct Layout {
    fields: HashMap<(usize, Field), u32>,
    pub(crate) order: Vec<(usize, Field, u32)>,
    pub(crate) width: u32,
    /// Sources whose codes are compared with each other have the same dictionary.
    same: Vec<(usize, usize)>,
}

/// How a value is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    /// The number of the value in a dictionary; 0 is NULL.
    Code,
    /// 64 bits in two words; NULL is told by a code of its own.
    Number,
    /// 0 is NULL, 1 false, 2 true.
    Flag,
    /// Whether it is NULL, as a flag.
    IsNull,
    /// A list of codes.
    List,
}

impl Layout {
    pub(crate) fn at(&mut self, source: usize, field: Field) -> u32 {
        if let Some(&at) = self.fields.get(&(source, field)) {
            return at;
        }
        let at = self.width;
        self.width += if field == Field::Number { 3 } else { 1 };
        self.fields.insert((source, field), at);
        self.order.push((source, field, at));
        at
    }

    fn place(&mut self, one: One, field: Field) -> Place {
        Place {
            side: one.side,
            at: self.at(one.source, field),
        }
    }

    pub(crate) fn share(&mut self, a: usize, b: usize) {
        if a != b {
            self.same.push((a, b));
        }
    }

    /// For each source, the one that stands for all that have its dictionary.
    pub(crate) fn domains(&self, count: usize) -> Vec<usize> {
        let mut parent: Vec<usize> = (0..count).collect();
        fn root(parent: &mut [usize], mut at: usize) -> usize {
            while parent[at] != at {
                parent[at] = parent[parent[at]];
                at = parent[at];
            }
            at
        }
        for &(a, b) in &self.same {
            let (a, b) = (root(&mut parent, a), root(&mut parent, b));
            parent[a.max(b)] = a.min(b);
        }
        (0..count).map(|it| root(&mut parent, it)).collect()
    }
}

/// A comparison that runs natively.
pub(crate) struct Compiled {
    /// The first that holds gives the level.
    pub(crate) tests: Vec<Test>,
    /// So many of the first tests ask for no likeness.
    pub(crate) plain: usize,
    /// What the tests ask for that is worth keeping.
    pub(crate) kernels: Vec<Kernel>,
}

/// Makes the levels of a comparison run natively, or says why they can't.
pub(crate) fn compile_comparison(
    levels: &[Draft],
    sources: &Sources,
    layout: &mut Layout,
) -> Result<Compiled, String> {
    for level in levels {
        check(level, sources)?;
    }
    let mut accepting = Accepting {
        sources,
        layout,
        kernels: Vec::new(),
    };
    let tests: Vec<Test> = levels
        .iter()
        .map(|it| accepting.condition(it, false))
        .collect::<Result<_, _>>()?;
    Ok(Compiled {
        plain: tests.iter().take_while(|it| it.is_plain()).count(),
        tests,
        kernels: accepting.kernels,
    })
}

/// A rule that runs natively.
pub(crate) struct RuleParts {
    /// Expressions that are equal, of the left and of the right record.
    pub(crate) keys: Vec<(usize, usize)>,
    /// What else must hold.
    pub(crate) rest: Option<Compiled>,
}

/// Makes a rule run natively, or says why it can't.
pub(crate) fn compile_rule(
    draft: &Draft,
    sources: &Sources,
    layout: &mut Layout,
) -> Result<RuleParts, String> {
    check(draft, sources)?;
    let mut conjuncts = Vec::new();
    flatten(draft, &mut conjuncts);
    let (mut keys, mut rest) = (Vec::new(), Vec::new());
    for conjunct in conjuncts {
        match conjunct {
            Draft::Equal(a, b) if a.side != b.side => {
                let (l, r) = if a.side == Side::Left { (a, b) } else { (b, a) };
                keys.push((l.source, r.source));
                layout.share(l.source, r.source);
            }
            other => rest.push(other.clone()),
        }
    }
    if keys.is_empty() {
        return Err("no column of one record is asked to be equal to one of the other".into());
    }
    let rest = match rest.as_slice() {
        [] => None,
        rest => Some(compile_comparison(
            &[Draft::All(rest.to_vec())],
            sources,
            layout,
        )?),
    };
    Ok(RuleParts { keys, rest })
}

fn flatten<'a>(draft: &'a Draft, out: &mut Vec<&'a Draft>) {
    match draft {
        Draft::All(parts) => parts.iter().for_each(|it| flatten(it, out)),
        other => out.push(other),
    }
}

/// Whether all of a draft runs natively, before anything is laid out for it.
fn check(draft: &Draft, sources: &Sources) -> Result<(), String> {
    match draft {
        Draft::All(parts) | Draft::Any(parts) => parts.iter().try_for_each(|it| check(it, sources)),
        Draft::Not(inner) => check(inner, sources),
        Draft::Flag(one) => match sources.class(one.source)? {
            Class::Truth => Ok(()),
            _ => Err(format!(
                "{} is taken for a truth value",
                sources.type_name(one.source)
            )),
        },
        Draft::IsNull(one) => sources.class(one.source).map(drop).map_err(str::to_owned),
        Draft::Equal(a, b) | Draft::Same(a, b) => {
            let (of_a, of_b) = (sources.class(a.source)?, sources.class(b.source)?);
            if of_a.comparable(&of_b) {
                Ok(())
            } else {
                Err(format!(
                    "{} is held against {}",
                    sources.type_name(a.source),
                    sources.type_name(b.source)
                ))
            }
        }
        Draft::Compare(left, _, right) => {
            number(left, sources)?;
            number(right, sources).map(drop)
        }
        Draft::Foreign(reason) => Err(reason.clone()),
    }
}

/// The kinds of numbers that arithmetic tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Double,
    Date,
    /// A constant that may be a decimal.
    Constant,
}

fn number(amount: &Amount, sources: &Sources) -> Result<Kind, String> {
    match amount {
        Amount::Constant(_) => Ok(Kind::Constant),
        Amount::One(one) => match sources.class(one.source)? {
            Class::Whole { .. } if sources.is_large(one.source) => {
                Err("arithmetic with whole numbers beyond 2^53".into())
            }
            Class::Whole { .. } => Ok(Kind::Whole),
            Class::Double => Ok(Kind::Double),
            Class::Date => Ok(Kind::Date),
            _ => Err(format!("arithmetic with {}", sources.type_name(one.source))),
        },
        Amount::Alike(_, a, b) => {
            let texts = [a, b].map(|it| sources.class(it.source));
            if texts.iter().all(|it| *it == Ok(Class::Text)) {
                let whole = matches!(
                    amount,
                    Amount::Alike(Likeness::Levenshtein | Likeness::Damerau, ..)
                );
                Ok(if whole { Kind::Whole } else { Kind::Double })
            } else {
                Err("likeness of what is not text".into())
            }
        }
        Amount::Overlap(a, b) => {
            let lists = [a, b].map(|it| sources.class(it.source));
            if lists.iter().all(|it| *it == Ok(Class::List)) {
                Ok(Kind::Whole)
            } else {
                Err("lists of what is not text".into())
            }
        }
        Amount::Days(a, b) => {
            let dates = [a, b].map(|it| sources.class(it.source));
            if dates.iter().all(|it| *it == Ok(Class::Date)) {
                Ok(Kind::Whole)
            } else {
                Err("days between what are not dates".into())
            }
        }
        Amount::Minus(a, b) => match (number(a, sources)?, number(b, sources)?) {
            (Kind::Date, Kind::Date) => Ok(Kind::Whole),
            kinds => arithmetic(kinds),
        },
        Amount::Plus(a, b) => arithmetic((number(a, sources)?, number(b, sources)?)),
        Amount::Over(a, b) => {
            arithmetic((number(a, sources)?, number(b, sources)?)).map(|_| Kind::Double)
        }
        Amount::Absolute(inner) => match number(inner, sources)? {
            Kind::Date => Err("the absolute value of a date".into()),
            kind => Ok(kind),
        },
        Amount::Least(parts) | Amount::Greatest(parts) => {
            let kinds: Vec<Kind> = parts
                .iter()
                .map(|it| number(it, sources))
                .collect::<Result<_, _>>()?;
            match kinds.as_slice() {
                [first, rest @ ..] if rest.iter().all(|it| it == first) && *first != Kind::Date => {
                    Ok(*first)
                }
                _ => Err("numbers of several types in one".into()),
            }
        }
        Amount::Foreign(reason) => Err(reason.clone()),
    }
}

fn arithmetic(kinds: (Kind, Kind)) -> Result<Kind, String> {
    match kinds {
        (Kind::Whole, Kind::Whole) => Ok(Kind::Whole),
        (Kind::Double, Kind::Double | Kind::Whole | Kind::Constant)
        | (Kind::Whole | Kind::Constant, Kind::Double) => Ok(Kind::Double),
        _ => Err("arithmetic with decimals or dates".into()),
    }
}

struct Accepting<'a> {
    sources: &'a Sources,
    layout: &'a mut Layout,
    kernels: Vec<Kernel>,
}

impl Accepting<'_> {
    /// What holds just if the draft is true, or false where `negated`; never if it is NULL.
    fn condition(&mut self, draft: &Draft, negated: bool) -> Result<Test, String> {
        Ok(match draft {
            Draft::All(parts) | Draft::Any(parts) => {
                let parts: Vec<Test> = parts
                    .iter()
                    .map(|it| self.condition(it, negated))
                    .collect::<Result<_, _>>()?;
                let all = matches!(draft, Draft::All(_)) != negated;
                match (all, parts.as_slice()) {
                    (
                        false,
                        [
                            Test::Is { place: a, word: 0 },
                            Test::Is { place: b, word: 0 },
                        ],
                    ) if a.side != b.side => Test::EitherIs {
                        a: *a,
                        b: *b,
                        word: 0,
                    },
                    (
                        false,
                        [
                            Test::Is { place: a, word: 2 },
                            Test::Is { place: b, word: 2 },
                        ],
                    ) if a.side != b.side => Test::EitherIs {
                        a: *a,
                        b: *b,
                        word: 2,
                    },
                    (true, _) => Test::All(parts),
                    (false, _) => Test::Any(parts),
                }
            }
            Draft::Not(inner) => self.condition(inner, !negated)?,
            Draft::Flag(one) => Test::Is {
                place: self.layout.place(*one, Field::Flag),
                word: if negated { 1 } else { 2 },
            },
            Draft::IsNull(one) => self.is_null(*one, negated),
            Draft::Equal(a, b) => {
                let (a, b) = self.codes(*a, *b);
                if negated {
                    Test::Differ(a, b)
                } else {
                    Test::Equal(a, b)
                }
            }
            Draft::Same(a, b) => {
                let (a, b) = self.codes(*a, *b);
                if negated {
                    Test::Distinct(a, b)
                } else {
                    Test::NotDistinct(a, b)
                }
            }
            Draft::Compare(left, op, right) => {
                let op = if negated { op.negated() } else { *op };
                self.compare(left, op, right)?
            }
            Draft::Foreign(reason) => return Err(reason.clone()),
        })
    }

    fn is_null(&mut self, one: One, negated: bool) -> Test {
        let coded = self.sources.is_coded(one.source)
            && self
                .sources
                .class(one.source)
                .is_ok_and(|it| it.coded_form().is_some());
        if coded {
            let place = self.layout.place(one, Field::Code);
            return if negated {
                Test::Not { place, word: 0 }
            } else {
                Test::Is { place, word: 0 }
            };
        }
        Test::Is {
            place: self.layout.place(one, Field::IsNull),
            word: if negated { 1 } else { 2 },
        }
    }

    fn codes(&mut self, a: One, b: One) -> (Place, Place) {
        self.layout.share(a.source, b.source);
        (
            self.layout.place(a, Field::Code),
            self.layout.place(b, Field::Code),
        )
    }

    fn compare(&mut self, left: &Amount, op: Op, right: &Amount) -> Result<Test, String> {
        let (left, op, right) = match (left, right) {
            (Amount::Constant(_), other) if !matches!(other, Amount::Constant(_)) => {
                (right, op.mirrored(), left)
            }
            _ => (left, op, right),
        };
        if let (Amount::Alike(..) | Amount::Overlap(..), Amount::Constant(bound)) = (left, right) {
            let kernel = self.kernel(left, Some(*bound))?;
            return Ok(Test::Kernel {
                kernel,
                op,
                bound: *bound,
            });
        }
        Ok(Test::Compare(Box::new((
            self.amount(left)?,
            op,
            self.amount(right)?,
        ))))
    }

    /// The number of a kernel, which must be right on either side of this bound; of none: always.
    fn kernel(&mut self, amount: &Amount, bound: Option<f64>) -> Result<usize, String> {
        let (likeness, a, b) = match amount {
            Amount::Alike(likeness, a, b) => (Some(*likeness), *a, *b),
            Amount::Overlap(a, b) => (None, *a, *b),
            _ => return Err("not a likeness".into()),
        };
        let field = if likeness.is_some() {
            Field::Code
        } else {
            Field::List
        };
        if likeness.is_none() {
            self.layout.share(a.source, b.source);
        }
        let kernel = Kernel::new(
            likeness,
            (a.source, b.source),
            self.layout.place(a, field),
            self.layout.place(b, field),
        );
        let found = self.kernels.iter().position(|it| it.is_same(&kernel));
        let at = found.unwrap_or_else(|| {
            self.kernels.push(kernel);
            self.kernels.len() - 1
        });
        if let Some(kernel) = self.kernels.get_mut(at) {
            kernel.must_be_right_at(bound);
        }
        Ok(at)
    }

    fn amount(&mut self, amount: &Amount) -> Result<Number, String> {
        let mut boxed = |it: &Amount| self.amount(it).map(Box::new);
        Ok(match amount {
            Amount::Constant(number) => Number::Constant(*number),
            Amount::Minus(a, b) => Number::Minus(boxed(a)?, boxed(b)?),
            Amount::Plus(a, b) => Number::Plus(boxed(a)?, boxed(b)?),
            Amount::Over(a, b) => Number::Over(boxed(a)?, boxed(b)?),
            Amount::Absolute(inner) => Number::Absolute(boxed(inner)?),
            Amount::Least(parts) => Number::Least(self.amounts(parts)?),
            Amount::Greatest(parts) => Number::Greatest(self.amounts(parts)?),
            Amount::One(one) => Number::At(self.layout.place(*one, Field::Number)),
            Amount::Days(a, b) => {
                let (a, b) = (
                    self.layout.place(*a, Field::Number),
                    self.layout.place(*b, Field::Number),
                );
                Number::Minus(Box::new(Number::At(b)), Box::new(Number::At(a)))
            }
            Amount::Alike(..) | Amount::Overlap(..) => Number::Kernel(self.kernel(amount, None)?),
            Amount::Foreign(reason) => return Err(reason.clone()),
        })
    }

    fn amounts(&mut self, parts: &[Amount]) -> Result<Vec<Number>, String> {
        parts.iter().map(|it| self.amount(it)).collect()
    }
}
