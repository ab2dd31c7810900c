//! Splink's settings: the model of which pairs of records are the same thing.
//!
//! A comparison has levels, from NULL over equal to anything else; each level has the probability `m` of being met by two records of the
//! same thing, and `u` by two of different things. Their ratio is the level's weight.

mod defaults;
mod read;
mod scan;
mod write;

use comboi_project::Place;

pub use write::SplinkVersion;

/// The share of matches among all pairs where nobody says another: Splink's.
pub(crate) const DEFAULT_LAMBDA: f64 = 0.0001;

/// A model, trained or not, as Splink's settings JSON tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which records may be the same thing (`link_type`).
    pub link: LinkType,
    /// The column that says which table a record is from (`source_dataset_column_name`).
    pub source: String,
    /// The share of matches among all pairs (`probability_two_random_records_match`).
    pub lambda: Option<f64>,
    /// The column that tells records apart.
    pub unique_id: String,
    /// Which pairs are looked at: those that one of these holds for.
    pub rules: Vec<Rule>,
    /// How two records are compared.
    pub comparisons: Vec<Comparison>,
    /// Training ends when no parameter changes by more.
    pub em_convergence: f64,
    /// Training ends after so many rounds, whatever changes.
    pub max_iterations: u32,
    /// Whether Splink would write the columns compared into its pairs.
    pub retain_matching_columns: bool,
    /// Whether Splink would write the weights of comparisons into its pairs.
    pub retain_intermediate: bool,
    /// Other columns that Splink would write into its pairs.
    pub additional_columns: Vec<String>,
    /// Splink's name of the model.
    pub linker_uid: Option<String>,
    /// Where they were read.
    pub place: Place,
}

/// Which records may be the same thing, by the tables that they are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkType {
    /// Any; there is one table (`dedupe_only`).
    Dedupe,
    /// Any, of several tables that lie below each other (`link_and_dedupe`).
    LinkAndDedupe,
    /// Those of different tables, which lie below each other (`link_only`).
    Link,
}

impl LinkType {
    /// As Splink calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dedupe => "dedupe_only",
            Self::LinkAndDedupe => "link_and_dedupe",
            Self::Link => "link_only",
        }
    }
}

/// What Splink calls the column that says which table a record is from.
pub(crate) const SOURCE: &str = "source_dataset";

/// Which pairs are looked at: a condition over records `l` and `r`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Such as `l.surname = r.surname`.
    pub sql: String,
    /// Lists whose elements stand for them, one by one, in the condition.
    pub arrays_to_explode: Vec<String>,
    /// Where it was read.
    pub place: Place,
}

/// How two records are compared in one respect.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Its name in results (`output_column_name`).
    pub name: String,
    /// What made it, in Splink's words.
    pub description: Option<String>,
    /// The first whose condition holds counts.
    pub levels: Vec<Level>,
    /// Where it was read.
    pub place: Place,
}

/// A degree of likeness.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Such as `"surname_l" = "surname_r"`, or `ELSE`.
    pub sql: String,
    /// For people (`label_for_charts`).
    pub label: String,
    /// Whether it says that nothing is known, so that it counts neither for nor against.
    pub is_null: bool,
    /// How often two records of the same thing are at this level.
    pub m: Option<f64>,
    /// How often two records of different things are at this level.
    pub u: Option<f64>,
    /// Whether training leaves `m` alone.
    pub fix_m: bool,
    /// Whether training leaves `u` alone.
    pub fix_u: bool,
    /// Rare values say more than frequent ones.
    pub term_frequency: Option<TermFrequency>,
    /// Where it was read.
    pub place: Place,
}

/// How a level is adjusted by how frequent the value is.
#[derive(Clone, Debug, PartialEq)]
pub struct TermFrequency {
    /// The column whose values are counted.
    pub column: String,
    /// From 0, not at all, to 1.
    pub weight: f64,
    /// No value counts as rarer.
    pub minimum_u: Option<f64>,
    /// Whether this level's own `u` is what frequencies are held against, even if another level is for equal values.
    pub own_u: bool,
}

impl Settings {
    /// Whether it was trained. Levels that training did not meet have no parameters then, and count by Splink's defaults.
    pub fn is_trained(&self) -> bool {
        let mut levels = self.comparisons.iter().flat_map(Comparison::counting);
        self.lambda.is_some() && levels.any(|it| it.m.is_some()) && {
            let mut levels = self.comparisons.iter().flat_map(Comparison::counting);
            levels.any(|it| it.u.is_some())
        }
    }
}

impl Rule {
    /// A rule of comboi's own making.
    pub fn new(sql: impl Into<String>, place: &Place) -> Self {
        Self {
            sql: sql.into(),
            arrays_to_explode: Vec::new(),
            place: place.clone(),
        }
    }
}

impl Comparison {
    /// The levels that count for or against, without the one that says that nothing is known.
    pub fn counting(&self) -> impl Iterator<Item = &Level> {
        self.levels.iter().filter(|it| !it.is_null)
    }

    /// The number that Splink gives a level: -1 for NULL, 0 for the last, and up.
    pub fn gamma(&self, level: usize) -> i8 {
        if self.levels.get(level).is_none_or(|it| it.is_null) {
            return -1;
        }
        let after = self.levels.iter().skip(level + 1);
        i8::try_from(after.filter(|it| !it.is_null).count()).unwrap_or(i8::MAX)
    }

    /// The level that has this number.
    pub fn level(&self, gamma: i8) -> Option<&Level> {
        (0..self.levels.len())
            .find(|&at| self.gamma(at) == gamma)
            .and_then(|at| self.levels.get(at))
    }
}

impl Level {
    /// Whether it is what remains when no other level's condition holds.
    pub fn is_else(&self) -> bool {
        self.sql.trim().eq_ignore_ascii_case("else")
    }
}
