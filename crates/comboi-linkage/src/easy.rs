//! Linkage for people who do not know Splink: keys, and how to compare columns, by name.
//!
//! It becomes Splink's settings, with the levels that Splink's own comparison library would make, so that there is one way on from here
//! and the model can be taken along.

use comboi_engine::Session;
use comboi_project::{Likeness, Place};

use crate::Error;
use crate::keys::rules_of_keys;
use crate::settings::{Comparison, Level, LinkType, SOURCE, Settings, TermFrequency};

/// Keys, and how to compare columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Easy {
    /// The column that tells records apart.
    pub unique_id: String,
    /// Records that are equal in all expressions of one of these are looked at. None: those that are equal in one of the columns compared; see
    /// [`drop_wide_rules`](crate::Linkage::drop_wide_rules).
    pub keys: Vec<Vec<String>>,
    /// How each column is compared.
    pub comparisons: Vec<(String, Likeness)>,
    /// Where this was read.
    pub place: Place,
}

impl Easy {
    /// The settings that this stands for, not trained, for records in which a blank text is NULL. The session only parses.
    pub fn settings(&self, session: &Session) -> Result<Settings, Error> {
        Ok(Settings {
            link: LinkType::Dedupe,
            source: SOURCE.to_owned(),
            lambda: None,
            unique_id: self.unique_id.clone(),
            rules: rules_of_keys(session, &self.keys_or_columns(), None, &self.place)?,
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
        let single = |it: &&(String, Likeness)| {
            !matches!(it.1, Likeness::ArrayIntersect(_) | Likeness::Within(_))
        };
        let columns = self.comparisons.iter().filter(single);
        columns
            .map(|(column, _)| vec![format!("\"{}\"", column.replace('"', "\"\""))])
            .collect()
    }

    fn comparison(&self, column: &str, kind: &Likeness) -> Comparison {
        let mut levels = Levels {
            column,
            place: &self.place,
            made: Vec::new(),
        };
        levels.null();
        let description = match kind {
            Likeness::Exact => {
                levels.equal(true);
                "ExactMatch"
            }
            Likeness::Name => {
                levels.equal(true);
                levels.similar(
                    "jaro_winkler_similarity",
                    "Jaro-Winkler",
                    &[0.92, 0.88, 0.7],
                );
                "NameComparison"
            }
            Likeness::DateOfBirth => {
                levels.date_of_birth();
                "DateOfBirthComparison"
            }
            Likeness::Email => {
                levels.email();
                "EmailComparison"
            }
            Likeness::Postcode => {
                levels.postcode();
                "PostcodeComparison"
            }
            Likeness::Text => {
                levels.equal(true);
                levels.similar("jaro_winkler_similarity", "Jaro-Winkler", &[0.9, 0.7]);
                "JaroWinklerAtThresholds"
            }
            Likeness::JaroWinkler(least) => {
                levels.equal(true);
                levels.similar("jaro_winkler_similarity", "Jaro-Winkler", least);
                "JaroWinklerAtThresholds"
            }
            Likeness::Levenshtein(most) => {
                levels.equal(false);
                levels.distant("levenshtein", "Levenshtein", most);
                "LevenshteinAtThresholds"
            }
            Likeness::Damerau(most) => {
                levels.equal(false);
                levels.distant("damerau_levenshtein", "Damerau-Levenshtein", most);
                "DamerauLevenshteinAtThresholds"
            }
            Likeness::Within(most) => {
                levels.equal(false);
                levels.within(most);
                "AbsoluteDifferenceAtThresholds"
            }
            Likeness::Days(most) => {
                levels.equal(false);
                levels.days(most);
                "AbsoluteDateDifferenceAtThresholds"
            }
            Likeness::ArrayIntersect(least) => {
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
