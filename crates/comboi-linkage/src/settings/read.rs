//! Settings read from JSON as Splink 3, 4 and 5 write it: the union of their keys.

use std::path::Path;

use comboi_project::{Place, Problem, Problems, did_you_mean};
use serde_json::{Map, Value};

use super::scan::Places;
use super::{Comparison, Level, LinkType, Rule, SOURCE, Settings, TermFrequency};

const SETTINGS: [&str; 23] = [
    "link_type",
    "probability_two_random_records_match",
    "retain_matching_columns",
    "retain_intermediate_calculation_columns",
    "additional_columns_to_retain",
    "sql_dialect",
    "linker_uid",
    "em_convergence",
    "max_iterations",
    "match_weight_column_prefix",
    "bayes_factor_column_prefix",
    "term_frequency_adjustment_column_prefix",
    "comparison_vector_value_column_prefix",
    "unique_id_column_name",
    "source_dataset_column_name",
    "blocking_rules_to_generate_predictions",
    "comparisons",
    // Of older versions; they change no result.
    "blocking_rule_for_training",
    "proportion_of_matches",
    "cache_uid",
    "case_expression_library",
    "$schema",
    "version",
];
const RULE: [&str; 4] = [
    "blocking_rule",
    "sql_dialect",
    "arrays_to_explode",
    "salting_partitions",
];
const COMPARISON: [&str; 5] = [
    "output_column_name",
    "comparison_description",
    "comparison_levels",
    "column_name",
    "column_name_is_original",
];
const LEVEL: [&str; 13] = [
    "sql_condition",
    "label_for_charts",
    "is_null_level",
    "m_probability",
    "u_probability",
    "fix_m_probability",
    "fix_u_probability",
    "tf_adjustment_column",
    "tf_adjustment_weight",
    "tf_minimum_u_value",
    "disable_tf_exact_match_detection",
    "comparison_vector_value",
    "sql_dialect",
];

impl Settings {
    /// Reads settings or a saved model. What Splink would not know is a warning, what can't be meant is an error; `file` is what messages
    /// call it.
    pub fn from_json(text: &str, file: &Path) -> Result<(Self, Vec<Problem>), Problems> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value: Value = serde_json::from_str(text).map_err(|e| {
            let place = Place {
                line: u32::try_from(e.line()).unwrap_or(0),
                column: u32::try_from(e.column()).unwrap_or(0),
                ..Place::file(file)
            };
            let said = e.to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            Problems(vec![
                Problem::at(&place, format!("not valid JSON: {said}"))
                    .hint("settings are what Splink's `save_model_to_json` writes"),
            ])
        })?;
        let places = Places::of(text, file);
        Self::from_value(&value, &|pointer| places.get(pointer))
    }

    /// The same out of a value that came some other way. `place` is asked for JSON pointers, with a `#` at the end for a key itself.
    pub fn from_value(
        value: &Value,
        place: &dyn Fn(&str) -> Place,
    ) -> Result<(Self, Vec<Problem>), Problems> {
        let mut reader = Reader {
            place,
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let settings = reader.settings(value);
        if reader.problems.is_empty() {
            Ok((settings, reader.warnings))
        } else {
            reader.problems.sort();
            Err(Problems(reader.problems))
        }
    }
}

struct Reader<'a> {
    place: &'a dyn Fn(&str) -> Place,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// An object at a place.
struct Object<'a> {
    entries: Option<&'a Map<String, Value>>,
    at: String,
}

impl<'a> Object<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.entries?.get(key).filter(|it| !it.is_null())
    }

    fn at(&self, key: &str) -> String {
        format!("{}/{key}", self.at)
    }
}

impl Reader<'_> {
    fn settings(&mut self, value: &Value) -> Settings {
        let it = self.object(value, String::new(), "settings", &SETTINGS);
        let link = self.link_type(&it);
        self.dialect(&it);
        let lambda = self.number(&it, "probability_two_random_records_match", 0.0, 1.0);
        if let Some(bad) = lambda.filter(|it| *it <= 0.0 || *it >= 1.0) {
            self.wrong(
                &it.at("probability_two_random_records_match"),
                format!("a share of matches of {bad} leaves nothing to decide"),
                "a number between 0 and 1, such as 0.0001",
            );
        }
        let rules = self.list(&it, "blocking_rules_to_generate_predictions");
        let rules: Vec<Rule> = rules
            .into_iter()
            .filter_map(|(value, at)| self.rule(value, at))
            .collect();
        let comparisons: Vec<Comparison> = self
            .list(&it, "comparisons")
            .into_iter()
            .map(|(value, at)| self.comparison(value, at))
            .collect();
        self.names_differ(&comparisons);
        let additional = self.list(&it, "additional_columns_to_retain");
        Settings {
            link,
            source: self
                .text(&it, "source_dataset_column_name")
                .unwrap_or_else(|| SOURCE.to_owned()),
            lambda,
            unique_id: self
                .text(&it, "unique_id_column_name")
                .unwrap_or_else(|| "unique_id".to_owned()),
            rules,
            comparisons,
            em_convergence: self
                .number(&it, "em_convergence", 0.0, 1.0)
                .unwrap_or(0.0001),
            max_iterations: self.iterations(&it),
            retain_matching_columns: self.flag(&it, "retain_matching_columns").unwrap_or(true),
            retain_intermediate: self
                .flag(&it, "retain_intermediate_calculation_columns")
                .unwrap_or(false),
            additional_columns: additional
                .into_iter()
                .filter_map(|(value, at)| self.as_text(value, &at))
                .collect(),
            linker_uid: self.text(&it, "linker_uid"),
            place: (self.place)(""),
        }
    }

    fn link_type(&mut self, it: &Object<'_>) -> LinkType {
        let Some(link_type) = self.text(it, "link_type") else {
            return LinkType::Dedupe;
        };
        let all = [LinkType::Dedupe, LinkType::LinkAndDedupe, LinkType::Link];
        all.into_iter()
            .find(|one| one.name() == link_type)
            .unwrap_or_else(|| {
                self.wrong(
                    &it.at("link_type"),
                    format!("unknown link type `{link_type}`"),
                    "`dedupe_only`, `link_and_dedupe` or `link_only`",
                );
                LinkType::Dedupe
            })
    }

    fn dialect(&mut self, it: &Object<'_>) {
        if let Some(dialect) = self.text(it, "sql_dialect")
            && dialect != "duckdb"
        {
            self.wrong(
                &it.at("sql_dialect"),
                format!("the conditions are {dialect}'s SQL; comboi computes them with DuckDB"),
                "save the model from a linker with DuckDB as its backend",
            );
        }
    }

    fn iterations(&mut self, it: &Object<'_>) -> u32 {
        let most = self.number(it, "max_iterations", 1.0, 1e6);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it lies between 1 and a million"
        )]
        most.map_or(25, |it| it as u32)
    }

    fn rule(&mut self, value: &Value, at: String) -> Option<Rule> {
        let place = (self.place)(&at);
        if let Some(sql) = value.as_str() {
            return Some(Rule::new(sql, &place));
        }
        let it = self.object(value, at, "a blocking rule", &RULE);
        self.dialect(&it);
        let Some(sql) = self.text(&it, "blocking_rule") else {
            if it.entries.is_some() && it.get("blocking_rule").is_none() {
                self.wrong(
                    &it.at,
                    "a blocking rule without `blocking_rule`",
                    "such as `l.surname = r.surname`",
                );
            }
            return None;
        };
        let arrays = self.list(&it, "arrays_to_explode");
        Some(Rule {
            sql,
            arrays_to_explode: arrays
                .into_iter()
                .filter_map(|(value, at)| self.as_text(value, &at))
                .collect(),
            place: (self.place)(&it.at("blocking_rule")),
        })
    }

    fn comparison(&mut self, value: &Value, at: String) -> Comparison {
        let place = (self.place)(&at);
        let it = self.object(value, at, "a comparison", &COMPARISON);
        let levels: Vec<Level> = self
            .list(&it, "comparison_levels")
            .into_iter()
            .map(|(value, at)| self.level(value, at))
            .collect();
        let name = self
            .text(&it, "output_column_name")
            .unwrap_or_else(|| name_of(&levels));
        let known = |it: &&Level| !it.is_null;
        if it.entries.is_some() && levels.iter().filter(known).count() < 2 {
            self.wrong(
                &it.at,
                format!("comparison `{name}` needs at least two levels that are not null levels"),
                "an equal level and `ELSE`, say",
            );
        }
        if levels.len() > 100 {
            self.wrong(
                &it.at,
                format!("comparison `{name}` has {} levels", levels.len()),
                "at most 100",
            );
        }
        if let Some(after) = levels.iter().rev().skip(1).find(|it| it.is_else()) {
            let problem = Problem::at(&after.place, "`ELSE` is not the last level");
            self.problems
                .push(problem.hint("levels after it would never be reached"));
        }
        Comparison {
            name,
            description: self.text(&it, "comparison_description"),
            levels,
            place,
        }
    }

    fn level(&mut self, value: &Value, at: String) -> Level {
        let it = self.object(value, at, "a level", &LEVEL);
        let sql = self.text(&it, "sql_condition");
        if it.entries.is_some() && it.get("sql_condition").is_none() {
            self.wrong(
                &it.at,
                "a level without `sql_condition`",
                "such as `\"surname_l\" = \"surname_r\"`, or `ELSE`",
            );
        }
        let sql = sql.unwrap_or_default();
        let column = self.text(&it, "tf_adjustment_column");
        let weight = self.number(&it, "tf_adjustment_weight", 0.0, 1.0);
        let minimum_u = self.number(&it, "tf_minimum_u_value", 0.0, 1.0);
        let own_u = self.flag(&it, "disable_tf_exact_match_detection");
        Level {
            label: self
                .text(&it, "label_for_charts")
                .unwrap_or_else(|| sql.clone()),
            is_null: self.flag(&it, "is_null_level").unwrap_or(false),
            m: self.number(&it, "m_probability", 0.0, 1.0),
            u: self.number(&it, "u_probability", 0.0, f64::INFINITY),
            fix_m: self.flag(&it, "fix_m_probability").unwrap_or(false),
            fix_u: self.flag(&it, "fix_u_probability").unwrap_or(false),
            term_frequency: column.map(|column| TermFrequency {
                column: unquoted(&column),
                weight: weight.unwrap_or(1.0),
                minimum_u: minimum_u.filter(|it| *it > 0.0),
                own_u: own_u.unwrap_or(false),
            }),
            place: (self.place)(&it.at("sql_condition")),
            sql,
        }
    }

    fn names_differ(&mut self, comparisons: &[Comparison]) {
        for (i, comparison) in comparisons.iter().enumerate() {
            if comparisons
                .iter()
                .take(i)
                .any(|it| it.name == comparison.name)
            {
                let message = format!("two comparisons are called `{}`", comparison.name);
                self.problems.push(
                    Problem::at(&comparison.place, message)
                        .hint("give one another `output_column_name`"),
                );
            }
        }
    }

    fn object<'v>(
        &mut self,
        value: &'v Value,
        at: String,
        what: &str,
        known: &[&str],
    ) -> Object<'v> {
        let entries = value.as_object();
        if entries.is_none() {
            self.wrong(&at, format!("{what} should be an object"), "`{…}`");
        }
        for key in entries.into_iter().flat_map(Map::keys) {
            if !known.contains(&key.as_str()) {
                let place = (self.place)(&format!("{at}/{key}#"));
                self.warnings.push(
                    Problem::at(
                        &place,
                        format!("unknown key `{key}` in {what}: it is ignored"),
                    )
                    .maybe_hint(did_you_mean(key, known.iter().copied())),
                );
            }
        }
        Object { entries, at }
    }

    fn list<'v>(&mut self, it: &Object<'v>, key: &str) -> Vec<(&'v Value, String)> {
        let at = it.at(key);
        match it.get(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(i, item)| (item, format!("{at}/{i}")))
                .collect(),
            Some(_) => {
                self.wrong(&at, format!("`{key}` should be a list"), "`[…]`");
                Vec::new()
            }
        }
    }

    fn text(&mut self, it: &Object<'_>, key: &str) -> Option<String> {
        self.as_text(it.get(key)?, &it.at(key))
    }

    fn as_text(&mut self, value: &Value, at: &str) -> Option<String> {
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(at, "this should be a text", "put it in quotes");
        }
        text
    }

    fn flag(&mut self, it: &Object<'_>, key: &str) -> Option<bool> {
        let value = it.get(key)?;
        if !value.is_boolean() {
            self.wrong(
                &it.at(key),
                format!("`{key}` should be true or false"),
                "`false`, say",
            );
        }
        value.as_bool()
    }

    fn number(&mut self, it: &Object<'_>, key: &str, least: f64, most: f64) -> Option<f64> {
        let number = it.get(key)?.as_f64();
        if number.is_none_or(|it| it < least || it > most) {
            let range = if most.is_finite() {
                format!("a number from {least} to {most}")
            } else {
                format!("a number from {least} up")
            };
            self.wrong(
                &it.at(key),
                format!("`{key}` should be {range}"),
                "as Splink wrote it",
            );
            return None;
        }
        number
    }

    fn wrong(&mut self, at: &str, message: impl Into<String>, hint: &str) {
        let place = (self.place)(at);
        self.problems.push(Problem::at(&place, message).hint(hint));
    }
}

/// What Splink calls a comparison that has no name: its column, or all of them.
fn name_of(levels: &[Level]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for level in levels {
        for word in level.sql.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if let Some(name) = word.strip_suffix("_l")
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
    }
    match names.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("custom_{}", several.join("_")),
    }
}

/// A name without its quotes.
fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |it| it.replace("\"\"", "\""))
}
