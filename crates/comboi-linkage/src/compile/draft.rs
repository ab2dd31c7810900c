//! What a condition is made of, before the types of its parts are known.

use serde_json::Value;

use super::Sources;
use crate::expression::{Naming, Side, bare, children, constant, references, text};

/// An expression over one of the two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct One {
    pub(crate) source: usize,
    pub(crate) side: Side,
}

/// A condition.
#[derive(Clone, Debug)]
pub(crate) enum Draft {
    All(Vec<Draft>),
    Any(Vec<Draft>),
    Not(Box<Draft>),
    /// A condition over one record, or over none.
    Flag(One),
    IsNull(One),
    Equal(One, One),
    /// Equal, or both NULL.
    Same(One, One),
    Compare(Amount, Op, Amount),
    /// What does not run natively, and why.
    Foreign(String),
}

/// A number.
#[derive(Clone, Debug)]
pub(crate) enum Amount {
    One(One),
    Constant(f64),
    Alike(Likeness, One, One),
    Overlap(One, One),
    /// Days from the first to the second.
    Days(One, One),
    Minus(Box<Amount>, Box<Amount>),
    Plus(Box<Amount>, Box<Amount>),
    Over(Box<Amount>, Box<Amount>),
    Absolute(Box<Amount>),
    Least(Vec<Amount>),
    Greatest(Vec<Amount>),
    Foreign(String),
}

/// DuckDB's functions that say how alike two texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Likeness {
    JaroWinkler,
    Jaro,
    Jaccard,
    Levenshtein,
    Damerau,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
}

impl Op {
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
            Self::Equal => Self::Unequal,
            Self::Unequal => Self::Equal,
        }
    }

    pub(crate) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
            same => same,
        }
    }

    /// As DuckDB orders numbers: NaN is equal to itself and more than any other.
    pub(crate) fn holds(self, a: f64, b: f64) -> bool {
        let order = match (a.is_nan(), b.is_nan()) {
            (true, true) => std::cmp::Ordering::Equal,
            (true, false) => std::cmp::Ordering::Greater,
            (false, true) => std::cmp::Ordering::Less,
            (false, false) => a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal),
        };
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
        }
    }
}

/// Takes a condition apart; its parts over one record are added to `sources`.
pub(crate) fn draft(node: &Value, naming: Naming, sources: &mut Sources) -> Draft {
    Drafting { naming, sources }.condition(node)
}

struct Drafting<'a> {
    naming: Naming,
    sources: &'a mut Sources,
}

impl Drafting<'_> {
    /// The record that a part is about, if it is not about both. What is about none may be computed of either.
    fn side(&self, node: &Value) -> Option<Side> {
        let mut sides = references(node, self.naming)
            .into_iter()
            .flatten()
            .map(|it| it.0);
        let Some(first) = sides.next() else {
            return Some(Side::Left);
        };
        sides.all(|it| it == first).then_some(first)
    }

    fn one(&mut self, node: &Value) -> Option<One> {
        let side = self.side(node)?;
        let source = self.sources.add(bare(node, self.naming));
        Some(One { source, side })
    }

    fn condition(&mut self, node: &Value) -> Draft {
        let kind = text(node, "type");
        let parts = children(node);
        match (kind, parts) {
            ("OPERATOR_IS_NULL", [inner]) => return self.is_null(inner),
            ("OPERATOR_IS_NOT_NULL", [inner]) => return Draft::Not(Box::new(self.is_null(inner))),
            _ => {}
        }
        if let Some(one) = self.one(node) {
            return Draft::Flag(one);
        }
        match (kind, parts) {
            ("CONJUNCTION_AND", parts) => {
                Draft::All(parts.iter().map(|it| self.condition(it)).collect())
            }
            ("CONJUNCTION_OR", parts) => {
                Draft::Any(parts.iter().map(|it| self.condition(it)).collect())
            }
            ("OPERATOR_NOT", [inner]) => Draft::Not(Box::new(self.condition(inner))),
            ("FUNCTION", [a, b])
                if matches!(
                    text(node, "function_name"),
                    "list_has_any" | "array_has_any" | "&&"
                ) =>
            {
                match self.two(a, b) {
                    Some((a, b)) => {
                        Draft::Compare(Amount::Overlap(a, b), Op::AtLeast, Amount::Constant(1.0))
                    }
                    None => foreign(node),
                }
            }
            _ if text(node, "class") == "COMPARISON" => self.comparison(node, kind),
            _ => foreign(node),
        }
    }

    fn is_null(&mut self, inner: &Value) -> Draft {
        match self.one(inner) {
            Some(one) => Draft::IsNull(one),
            None => Draft::Foreign("IS NULL of both records together".into()),
        }
    }

    fn comparison(&mut self, node: &Value, kind: &str) -> Draft {
        let (Some(left), Some(right)) = (node.get("left"), node.get("right")) else {
            return foreign(node);
        };
        let op = match kind {
            "COMPARE_EQUAL" => Op::Equal,
            "COMPARE_NOTEQUAL" => Op::Unequal,
            "COMPARE_LESSTHAN" => Op::Less,
            "COMPARE_LESSTHANOREQUALTO" => Op::AtMost,
            "COMPARE_GREATERTHAN" => Op::More,
            "COMPARE_GREATERTHANOREQUALTO" => Op::AtLeast,
            "COMPARE_NOT_DISTINCT_FROM" | "COMPARE_DISTINCT_FROM" => {
                let Some((a, b)) = self.coded_two(left, right) else {
                    return foreign(node);
                };
                let same = Draft::Same(a, b);
                return if kind == "COMPARE_DISTINCT_FROM" {
                    Draft::Not(Box::new(same))
                } else {
                    same
                };
            }
            _ => return foreign(node),
        };
        if matches!(op, Op::Equal | Op::Unequal)
            && let Some((a, b)) = self.coded_two(left, right)
        {
            let equal = Draft::Equal(a, b);
            return if op == Op::Equal {
                equal
            } else {
                Draft::Not(Box::new(equal))
            };
        }
        let (left, right) = (self.amount(left), self.amount(right));
        Draft::Compare(left, op, right)
    }

    fn two(&mut self, a: &Value, b: &Value) -> Option<(One, One)> {
        Some((self.one(a)?, self.one(b)?))
    }

    fn coded_two(&mut self, a: &Value, b: &Value) -> Option<(One, One)> {
        let (a, b) = self.two(a, b)?;
        self.sources.code(a.source);
        self.sources.code(b.source);
        Some((a, b))
    }

    fn amount(&mut self, node: &Value) -> Amount {
        if let Some(number) = constant(node) {
            return Amount::Constant(number);
        }
        if let Some(one) = self.one(node) {
            self.sources.compute(one.source);
            return Amount::One(one);
        }
        let function = text(node, "function_name").to_lowercase();
        let parts = children(node);
        match (function.as_str(), parts) {
            ("abs" | "@", [inner]) => Amount::Absolute(Box::new(self.amount(inner))),
            ("-", [a, b]) => Amount::Minus(Box::new(self.amount(a)), Box::new(self.amount(b))),
            ("+", [a, b]) => Amount::Plus(Box::new(self.amount(a)), Box::new(self.amount(b))),
            ("/", [a, b]) => Amount::Over(Box::new(self.amount(a)), Box::new(self.amount(b))),
            ("least", parts) => Amount::Least(parts.iter().map(|it| self.amount(it)).collect()),
            ("greatest", parts) => {
                Amount::Greatest(parts.iter().map(|it| self.amount(it)).collect())
            }
            ("date_diff" | "datediff", [part, a, b]) if is_day(part) => match self.two(a, b) {
                Some((a, b)) => Amount::Days(a, b),
                None => not_number(node),
            },
            ("array_length" | "len" | "length", [inner])
                if matches!(
                    text(inner, "function_name"),
                    "list_intersect" | "array_intersect"
                ) =>
            {
                match children(inner) {
                    [a, b] => match self.two(a, b) {
                        Some((a, b)) => Amount::Overlap(a, b),
                        None => not_number(node),
                    },
                    _ => not_number(node),
                }
            }
            (name, [a, b]) => match likeness(name) {
                Some(likeness) => match self.coded_two(a, b) {
                    Some((a, b)) => Amount::Alike(likeness, a, b),
                    None => not_number(node),
                },
                None => not_number(node),
            },
            _ => not_number(node),
        }
    }
}

fn is_day(node: &Value) -> bool {
    node.pointer("/value/value")
        .and_then(Value::as_str)
        .is_some_and(|it| matches!(it.to_lowercase().as_str(), "day" | "days" | "d"))
}

fn likeness(function: &str) -> Option<Likeness> {
    Some(match function {
        "jaro_winkler_similarity" => Likeness::JaroWinkler,
        "jaro_similarity" => Likeness::Jaro,
        "jaccard" => Likeness::Jaccard,
        "levenshtein" | "editdist3" => Likeness::Levenshtein,
        "damerau_levenshtein" => Likeness::Damerau,
        _ => return None,
    })
}

/// What DuckDB calls a part, for the reason why it does not run natively.
fn called(node: &Value) -> String {
    let function = text(node, "function_name");
    if function.is_empty() {
        let class = text(node, "class").to_lowercase();
        format!("{class} over both records")
    } else {
        format!("`{function}` over both records")
    }
}

fn foreign(node: &Value) -> Draft {
    Draft::Foreign(called(node))
}

fn not_number(node: &Value) -> Amount {
    Amount::Foreign(called(node))
}
