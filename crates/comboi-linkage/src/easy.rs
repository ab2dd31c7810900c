//! Linkage for people who do not know Splink: keys, and how to compare columns, by name.
//!
//! It becomes Splink's settings, with the levels that Splink's own comparison library would make, so that there is one way on from here
//! and the model can be taken along.

use std::str::FromStr;

use comboi_engine::Session;
use comboi_project::{Place, did_you_mean};

use crate::Error;
use crate::keys::rules_of_keys;
use crate::settings::{Comparison, Level, Settings, TermFrequency};

/// Keys, and how to compare columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Easy {
    /// The column that tells records apart.
    pub unique_id: String,
    /// Records that are equal in all expressions of one of these are looked at. None: those that are equal in one of the columns compared; see
    /// [`drop_wide_rules`](crate::Linkage::drop_wide_rules).
    pub keys: Vec<Vec<String>>,
    /// How each column is compared.
    pub comparisons: Vec<(String, Kind)>,
    /// Where this was read.
    pub place: Place,
}

/// A way to compare a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Equal or not.
    Exact,
    /// A first name or surname.
    Name,
    /// A date of birth, as a date or as ISO text.
    DateOfBirth,
    /// An e-mail address.
    Email,
    /// A British postcode; others are equal or not.
    Postcode,
    /// Any text: equal, or alike by Jaro and Winkler.
    Text,
    /// At most so many letters wrong, missing or too many.
    Levenshtein(Vec<u32>),
    /// The same, and two neighbours that changed places count once.
    Damerau(Vec<u32>),
    /// As alike as this, by Jaro and Winkler.
    JaroWinkler(Vec<f64>),
    /// Numbers that differ by no more.
    Within(Vec<f64>),
    /// Dates or times that differ by no more days.
    Days(Vec<f64>),
    /// Lists with so many elements in common.
    ArrayIntersect(Vec<u32>),
}

/// The kinds that are a single word.
pub const KINDS: [&str; 6] = [
    "exact",
    "name",
    "date_of_birth",
    "email",
    "postcode",
    "text",
];

/// A word that is no way to compare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no comparison called `{word}`")]
pub struct BadKind {
    /// The word.
    pub word: String,
    /// What to try.
    pub hint: String,
}

impl FromStr for Kind {
    type Err = BadKind;

    fn from_str(word: &str) -> Result<Self, BadKind> {
        Ok(match word {
            "exact" => Self::Exact,
            "name" => Self::Name,
            "date_of_birth" => Self::DateOfBirth,
            "email" => Self::Email,
            "postcode" => Self::Postcode,
            "text" => Self::Text,
            "levenshtein" => Self::Levenshtein(vec![1, 2]),
            "damerau" => Self::Damerau(vec![1, 2]),
            "jaro_winkler" => Self::JaroWinkler(vec![0.9, 0.7]),
            "array_intersect" => Self::ArrayIntersect(vec![1]),
            other => {
                return Err(BadKind {
                    word: other.to_owned(),
                    hint: did_you_mean(other, KINDS).unwrap_or_else(|| {
                        format!(
                            "one of {}, or {{damerau: 1}}, {{levenshtein: 2}}, {{jaro_winkler: 0.9}}, {{within: 0.01}}, {{days: 30}}, {{array_intersect: 1}}",
                            KINDS.join(", ")
                        )
                    }),
                });
            }
        })
    }
}

impl Easy {
    /// The settings that this stands for, not trained. The session only parses.
    pub fn settings(&self, session: &Session) -> Result<Settings, Error> {
        Ok(Settings {
            lambda: None,
            unique_id: self.unique_id.clone(),
            rules: rules_of_keys(session, &self.keys_or_columns(), &self.place)?,
            comparisons: self
                .comparisons
                .iter()
                .map(|(column, kind)| self.comparison(column, kind))
                .collect(),
            em_convergence: 0.0001,
            max_iterations: 25,
            retain_matching_columns: true,
            retain_intermediate: false,
            additional_columns: Vec::new(),
            linker_uid: None,
            place: self.place.clone(),
        })
    }

    fn keys_or_columns(&self) -> Vec<Vec<String>> {
        if !self.keys.is_empty() {
            return self.keys.clone();
        }
        let single =
            |it: &&(String, Kind)| !matches!(it.1, Kind::ArrayIntersect(_) | Kind::Within(_));
        let columns = self.comparisons.iter().filter(single);
        columns
            .map(|(column, _)| vec![format!("\"{}\"", column.replace('"', "\"\""))])
            .collect()
    }

    fn comparison(&self, column: &str, kind: &Kind) -> Comparison {
        let mut levels = Levels {
            column,
            place: &self.place,
            made: Vec::new(),
        };
        levels.null();
        let description = match kind {
            Kind::Exact => {
                levels.equal(true);
                "ExactMatch"
            }
            Kind::Name => {
                levels.equal(true);
                levels.similar(
                    "jaro_winkler_similarity",
                    "Jaro-Winkler",
                    &[0.92, 0.88, 0.7],
                );
                "NameComparison"
            }
            Kind::DateOfBirth => {
                levels.date_of_birth();
                "DateOfBirthComparison"
            }
            Kind::Email => {
                levels.email();
                "EmailComparison"
            }
            Kind::Postcode => {
                levels.postcode();
                "PostcodeComparison"
            }
            Kind::Text => {
                levels.equal(true);
                levels.similar("jaro_winkler_similarity", "Jaro-Winkler", &[0.9, 0.7]);
                "JaroWinklerAtThresholds"
            }
            Kind::JaroWinkler(least) => {
                levels.equal(true);
                levels.similar("jaro_winkler_similarity", "Jaro-Winkler", least);
                "JaroWinklerAtThresholds"
            }
            Kind::Levenshtein(most) => {
                levels.equal(false);
                levels.distant("levenshtein", "Levenshtein", most);
                "LevenshteinAtThresholds"
            }
            Kind::Damerau(most) => {
                levels.equal(false);
                levels.distant("damerau_levenshtein", "Damerau-Levenshtein", most);
                "DamerauLevenshteinAtThresholds"
            }
            Kind::Within(most) => {
                levels.equal(false);
                levels.within(most);
                "AbsoluteDifferenceAtThresholds"
            }
            Kind::Days(most) => {
                levels.equal(false);
                levels.days(most);
                "AbsoluteDateDifferenceAtThresholds"
            }
            Kind::ArrayIntersect(least) => {
                levels.intersecting(least);
                "ArrayIntersectAtSizes"
            }
        };
        levels.add("ELSE".into(), "All other comparisons".into());
        Comparison {
            name: column.to_owned(),
            description: Some(description.to_owned()),
            levels: levels.made,
            place: self.place.clone(),
        }
    }
}

/// The levels of a comparison in the making.
struct Levels<'a> {
    column: &'a str,
    place: &'a Place,
    made: Vec<Level>,
}

impl Levels<'_> {
    fn side(&self, side: &str) -> String {
        format!("\"{}_{side}\"", self.column.replace('"', "\"\""))
    }

    /// A condition in which `{l}` and `{r}` stand for the column.
    fn of(&self, condition: &str) -> String {
        condition
            .replace("{l}", &self.side("l"))
            .replace("{r}", &self.side("r"))
    }

    fn add(&mut self, sql: String, label: String) -> &mut Level {
        self.made.push(Level {
            sql,
            label,
            is_null: false,
            m: None,
            u: None,
            fix_m: false,
            fix_u: false,
            term_frequency: None,
            place: self.place.clone(),
        });
        self.made.last_mut().expect("it was pushed above")
    }

    fn null(&mut self) {
        let sql = self.of("{l} IS NULL OR {r} IS NULL");
        let label = format!("{} is NULL", self.column);
        self.add(sql, label).is_null = true;
    }

    fn equal(&mut self, frequency: bool) {
        let sql = self.of("{l} = {r}");
        let label = format!("Exact match on {}", self.column);
        let column = self.column.to_owned();
        self.add(sql, label).term_frequency = frequency.then_some(TermFrequency {
            column,
            weight: 1.0,
            minimum_u: None,
            own_u: false,
        });
    }

    fn similar(&mut self, function: &str, called: &str, least: &[f64]) {
        for least in least {
            let sql = self.of(&format!("{function}({{l}}, {{r}}) >= {least}"));
            let label = format!("{called} distance of {} >= {least}", self.column);
            self.add(sql, label);
        }
    }

    fn distant(&mut self, function: &str, called: &str, most: &[u32]) {
        for most in most {
            let sql = self.of(&format!("{function}({{l}}, {{r}}) <= {most}"));
            let label = format!("{called} distance of {} <= {most}", self.column);
            self.add(sql, label);
        }
    }

    fn within(&mut self, most: &[f64]) {
        for most in most {
            let sql = self.of(&format!("ABS({{l}} - {{r}}) <= {most}"));
            let label = format!("Absolute difference of {} <= {most}", self.column);
            self.add(sql, label);
        }
    }

    fn days(&mut self, most: &[f64]) {
        for most in most {
            let sql = self.of(&format!(
                "ABS(EPOCH(TRY_CAST({{l}} AS TIMESTAMP)) - EPOCH(TRY_CAST({{r}} AS TIMESTAMP))) <= {}",
                most * 86_400.0
            ));
            let label = format!("Absolute date difference of {} <= {most} days", self.column);
            self.add(sql, label);
        }
    }

    fn intersecting(&mut self, least: &[u32]) {
        for least in least {
            let sql = self.of(&format!(
                "array_length(list_intersect({{l}}, {{r}})) >= {least}"
            ));
            let label = format!("Array intersection size of {} >= {least}", self.column);
            self.add(sql, label);
        }
    }

    /// Dates that DuckDB does not know as such are still equal, or a slip of the finger apart.
    fn date_of_birth(&mut self) {
        self.equal(false);
        let sql = self.of("levenshtein(CAST({l} AS VARCHAR), CAST({r} AS VARCHAR)) <= 1");
        let label = format!("Levenshtein distance of {} <= 1", self.column);
        self.add(sql, label);
        for (seconds, within) in [
            (2_629_800, "1 month"),
            (31_557_600, "1 year"),
            (315_576_000, "10 year"),
        ] {
            let sql = self.of(&format!(
                "ABS(EPOCH(TRY_CAST({{l}} AS DATE)) - EPOCH(TRY_CAST({{r}} AS DATE))) <= {seconds}.0"
            ));
            let label = format!("Absolute date difference of {} <= {within}", self.column);
            self.add(sql, label);
        }
    }

    fn email(&mut self) {
        const USER: &str = "NULLIF(regexp_extract({it}, '^[^@]+', 0), '')";
        let (l, r) = (USER.replace("it", "l"), USER.replace("it", "r"));
        self.equal(true);
        let sql = self.of(&format!("{l} = {r}"));
        self.add(sql, "Exact match on username".into());
        self.similar("jaro_winkler_similarity", "Jaro-Winkler", &[0.88]);
        let sql = self.of(&format!("jaro_winkler_similarity({l}, {r}) >= 0.88"));
        self.add(sql, "Jaro-Winkler >0.88 on username".into());
    }

    fn postcode(&mut self) {
        self.equal(false);
        for (pattern, what) in [
            ("^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? [0-9]", "sector"),
            ("^[A-Za-z]{1,2}[0-9][A-Za-z0-9]?", "district"),
            ("^[A-Za-z]{1,2}", "area"),
        ] {
            let part = |side: &str| {
                format!(
                    "NULLIF(regexp_extract({}, '{pattern}', 0), '')",
                    self.side(side)
                )
            };
            let sql = format!("{} = {}", part("l"), part("r"));
            let label = format!("Exact match on {what} of {}", self.column);
            self.add(sql, label);
        }
    }
}
