//! Which pairs are looked at: records by key, and pairs that DuckDB found where a rule has no key.

mod groups;

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_engine::arrow::array::AsArray;
use comboi_engine::arrow::datatypes::UInt32Type;
use comboi_engine::{Form, Records, Session, print_expressions};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::Serialize;

use crate::Error;
use crate::compile::{Compiled, Condition, Draft, Layout, Sources, compile_rule, draft};
use crate::dictionary::number;
use crate::expression;
use crate::load::each_code;
use crate::pair::{Data, Look, Pair};
use crate::settings::Rule;

pub(crate) use groups::{Groups, KeyColumns};

/// How many pairs a rule gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RulePairs {
    /// The rule, as it was written.
    pub rule: String,
    /// Pairs whose keys are equal, whether an earlier rule has them too or not. Where DuckDB has to find them, as many as it found.
    pub pairs: u64,
    /// Records that have the most frequent key. 0 where there is no key, or none that two records have.
    pub largest_key_rows: u64,
}

/// A rule, made ready.
pub(crate) struct Compiling {
    pub(crate) rule: Rule,
    /// Every column that it reads.
    pub(crate) columns: Vec<String>,
    way: Way,
}

enum Way {
    /// Fields of the left and of the right record that are equal, and what else must hold.
    Keys {
        left: Vec<u32>,
        right: Vec<u32>,
        rest: Option<Compiled>,
    },
    /// Expressions over one element each of the lists that a record has.
    Exploded {
        expressions: Vec<String>,
        forms: Vec<Form>,
    },
    /// Found by DuckDB: the condition over `l` and `r`, and why.
    Sql { condition: String, reason: String },
}

impl Compiling {
    /// Drafts a rule; its expressions are added to `sources`.
    pub(crate) fn draft(condition: &Condition, sources: &mut Sources) -> Draft {
        draft(&condition.tree, condition.naming, sources)
    }

    pub(crate) fn new(
        rule: &Rule,
        condition: &Condition,
        draft: &Draft,
        session: &Session,
        sources: &Sources,
        layout: &mut Layout,
    ) -> Result<Self, Error> {
        let way = if rule.arrays_to_explode.is_empty() {
            match compile_rule(draft, sources, layout) {
                Ok(parts) => {
                    let mut at = |it: usize| layout.at(it, crate::compile::Field::Code);
                    Way::Keys {
                        left: parts.keys.iter().map(|it| at(it.0)).collect(),
                        right: parts.keys.iter().map(|it| at(it.1)).collect(),
                        rest: parts.rest,
                    }
                }
                Err(reason) => Self::by_sql(condition, session, reason)?,
            }
        } else {
            Self::exploded(condition, session, rule)?
        };
        Ok(Self {
            rule: rule.clone(),
            columns: condition.columns.clone(),
            way,
        })
    }

    fn by_sql(condition: &Condition, session: &Session, reason: String) -> Result<Way, Error> {
        let tree = expression::prefixed(&condition.tree, condition.naming);
        let printed = print_expressions(session, &[tree])?;
        Ok(Way::Sql {
            condition: printed.into_iter().next().unwrap_or_default(),
            reason,
        })
    }

    /// With lists exploded, a rule runs natively if it asks nothing but that the same expressions be equal.
    fn exploded(condition: &Condition, session: &Session, _rule: &Rule) -> Result<Way, Error> {
        let mut sides = Vec::new();
        if !equal_sides(&condition.tree, condition.naming, &mut sides) {
            return Self::by_sql(
                condition,
                session,
                "it asks for more of exploded lists than that they are equal".into(),
            );
        }
        let expressions = print_expressions(session, &sides)?;
        let forms = vec![Form::Text; expressions.len()];
        Ok(Way::Exploded { expressions, forms })
    }

    /// Why a rule does not run natively, if it does not.
    pub(crate) fn why_sql(&self) -> Option<&str> {
        match &self.way {
            Way::Sql { reason, .. } => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn compiled_mut(&mut self) -> Option<&mut Compiled> {
        match &mut self.way {
            Way::Keys { rest, .. } => rest.as_mut(),
            _ => None,
        }
    }

    /// Groups the records by key, if that takes no DuckDB.
    pub(crate) fn index_at_hand(&self, columns: &KeyColumns) -> Option<Index<'_>> {
        let Way::Keys { left, right, rest } = &self.way else {
            return None;
        };
        Some(Index {
            rule: &self.rule,
            found: keyed(columns, left, right, rest.as_ref()),
        })
    }

    /// Where the words are that it groups records by.
    pub(crate) fn fields(&self) -> impl Iterator<Item = u32> {
        let (left, right) = match &self.way {
            Way::Keys { left, right, .. } => (left.as_slice(), right.as_slice()),
            _ => (&[][..], &[][..]),
        };
        left.iter().chain(right).copied()
    }

    /// Groups the records by key.
    pub(crate) fn index(
        &self,
        records: &Records,
        columns: &KeyColumns,
        rank_of: &[u32],
        unique_id: &str,
    ) -> Result<Index<'_>, Error> {
        let found = match &self.way {
            Way::Keys { left, right, rest } => keyed(columns, left, right, rest.as_ref()),
            Way::Exploded { expressions, forms } => {
                let keys = exploded_keys(
                    records,
                    &self.rule.arrays_to_explode,
                    expressions,
                    forms,
                    rank_of,
                )?;
                Found::Exploded {
                    groups: Arc::new(Groups::of_several(&keys)),
                    keys,
                }
            }
            Way::Sql { condition, .. } => {
                let mut pairs = Vec::new();
                let lists = &self.rule.arrays_to_explode;
                records.join(lists, condition, unique_id, &mut |batch| {
                    let (l, r) = (
                        batch.column(0).as_primitive::<UInt32Type>(),
                        batch.column(1).as_primitive::<UInt32Type>(),
                    );
                    for i in 0..batch.num_rows() {
                        let rank = |row: u32| rank_of[row as usize];
                        pairs.push((rank(l.value(i)), rank(r.value(i))));
                    }
                })?;
                pairs.sort_unstable();
                pairs.dedup();
                Found::Listed(pairs)
            }
        };
        Ok(Index {
            rule: &self.rule,
            found,
        })
    }
}

/// Whether a condition is nothing but equalities of the same expression of both records; those go to `out`, over one record.
fn equal_sides(
    tree: &serde_json::Value,
    naming: expression::Naming,
    out: &mut Vec<serde_json::Value>,
) -> bool {
    match expression::text(tree, "type") {
        "CONJUNCTION_AND" => expression::children(tree)
            .iter()
            .all(|it| equal_sides(it, naming, out)),
        "COMPARE_EQUAL" => {
            let (Some(left), Some(right)) = (tree.get("left"), tree.get("right")) else {
                return false;
            };
            let side = |it| {
                let mut sides: Vec<_> = expression::references(it, naming)
                    .into_iter()
                    .flatten()
                    .map(|it| it.0)
                    .collect();
                sides.dedup();
                sides
            };
            let (of_left, of_right) = (side(left), side(right));
            let across = of_left.len() == 1 && of_right.len() == 1 && of_left != of_right;
            let (left, right) = (
                expression::bare(left, naming),
                expression::bare(right, naming),
            );
            if !across || left != right {
                return false;
            }
            out.push(left);
            true
        }
        _ => false,
    }
}

/// The pairs of a rule, ready to be walked.
pub(crate) struct Index<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) found: Found<'a>,
}

pub(crate) enum Found<'a> {
    Keyed {
        left: Arc<Groups>,
        /// Of the right record's expressions, if they are others.
        right: Option<Groups>,
        fields: (&'a [u32], &'a [u32]),
        rest: Option<&'a Compiled>,
    },
    Exploded {
        groups: Arc<Groups>,
        /// The sorted keys of each rank.
        keys: Vec<Vec<u32>>,
    },
    Listed(Vec<(u32, u32)>),
}

impl Index<'_> {
    pub(crate) fn pairs(&self) -> RulePairs {
        let (pairs, largest) = match &self.found {
            Found::Keyed {
                left, right: None, ..
            }
            | Found::Exploded { groups: left, .. } => (
                left.sizes().map(|it| it * it.saturating_sub(1) / 2).sum(),
                left.sizes().max().unwrap_or(0),
            ),
            Found::Keyed {
                left,
                right: Some(right),
                ..
            } => (
                left.sizes().zip(right.sizes()).map(|(l, r)| l * r).sum(),
                left.sizes().chain(right.sizes()).max().unwrap_or(0),
            ),
            Found::Listed(pairs) => (pairs.len() as u64, 0),
        };
        RulePairs {
            rule: self.rule.sql.clone(),
            pairs,
            largest_key_rows: largest,
        }
    }

    /// Whether a rule has a pair, so that no later one gives it again.
    #[inline]
    pub(crate) fn has(
        &self,
        data: &Data,
        l: u32,
        r: u32,
        rows: (&[u32], &[u32]),
        look: &mut Look,
    ) -> bool {
        match &self.found {
            Found::Keyed { fields, rest, .. } => {
                let (left, right) = rows;
                let equal = fields.0.iter().zip(fields.1).all(|(a, b)| {
                    let a = left[*a as usize];
                    a != 0 && a == right[*b as usize]
                });
                equal && rest.is_none_or(|it| holds(it, data, l, r, look))
            }
            Found::Exploded { keys, .. } => {
                first_common(&keys[l as usize], &keys[r as usize]).is_some()
            }
            Found::Listed(pairs) => pairs.binary_search(&(l, r)).is_ok(),
        }
    }
}

pub(crate) fn holds(rest: &Compiled, data: &Data, l: u32, r: u32, look: &mut Look) -> bool {
    let pair = Pair {
        data,
        l: data.row(l),
        r: data.row(r),
    };
    pair.first(&rest.tests, &rest.kernels, look).is_some()
}

/// The least that two sorted lists have in common.
pub(crate) fn first_common(a: &[u32], b: &[u32]) -> Option<u32> {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => return Some(*x),
        }
    }
    None
}

/// Groups by the words at these places of the left, and if those are others, of the right record.
fn keyed<'a>(
    columns: &KeyColumns,
    left: &'a [u32],
    right: &'a [u32],
    rest: Option<&'a Compiled>,
) -> Found<'a> {
    let fields = (left, right);
    if left == right {
        return Found::Keyed {
            left: Groups::of_words(columns, left),
            right: None,
            fields,
            rest,
        };
    }
    let (of_left, of_right) = Groups::of_both(columns, left, right);
    Found::Keyed {
        left: Arc::new(of_left),
        right: Some(of_right),
        fields,
        rest,
    }
}

fn exploded_keys(
    records: &Records,
    lists: &[String],
    expressions: &[String],
    forms: &[Form],
    rank_of: &[u32],
) -> Result<Vec<Vec<u32>>, Error> {
    let mut keys = vec![Vec::new(); rank_of.len()];
    let mut dictionaries: BTreeMap<usize, crate::dictionary::Dictionary> = BTreeMap::new();
    let mut numbers: HashMap<Vec<u32>, u32, RandomState> = HashMap::default();
    let wanted: Vec<(String, Form)> = expressions
        .iter()
        .cloned()
        .zip(forms.iter().copied())
        .collect();
    records.read_exploded(lists, &wanted, &mut |batch| {
        let rows = batch.column(0).as_primitive::<UInt32Type>();
        let mut parts = vec![vec![0_u32; wanted.len()]; batch.num_rows()];
        for (i, (_, form)) in wanted.iter().enumerate() {
            let dictionary = dictionaries.entry(i).or_default();
            each_code(batch.column(i + 1), *form, dictionary, |row, code| {
                parts[row][i] = code;
            });
        }
        for (i, part) in parts.into_iter().enumerate() {
            if part.contains(&0) {
                continue;
            }
            let fresh = number(numbers.len() + 1);
            let key = *numbers.entry(part).or_insert(fresh);
            keys[rank_of[rows.value(i) as usize] as usize].push(key);
        }
    })?;
    for keys in &mut keys {
        keys.sort_unstable();
        keys.dedup();
    }
    Ok(keys)
}
