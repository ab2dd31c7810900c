//! Settings written as Splink saves a model.

use serde_json::{Map, Value, json};

use super::{Comparison, Level, Rule, Settings};

/// Whose `save_model_to_json` is imitated: a later file does not load in an earlier Splink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplinkVersion {
    /// Splink 4, and 3.9 as far as it knows the functions.
    V4,
    /// Splink 5.
    V5,
}

impl Settings {
    /// The model as Splink saves it. A parameter that nothing is known of is left out, as Splink does.
    pub fn to_json(&self, target: SplinkVersion) -> String {
        let prefix = match target {
            SplinkVersion::V4 => ("bayes_factor_column_prefix", "bf_"),
            SplinkVersion::V5 => ("match_weight_column_prefix", "mw_"),
        };
        let mut out = json!({
            "link_type": self.link.name(),
            "probability_two_random_records_match": self.lambda_or_default(),
            "retain_matching_columns": self.retain_matching_columns,
            "retain_intermediate_calculation_columns": self.retain_intermediate,
            "additional_columns_to_retain": self.additional_columns,
            "sql_dialect": "duckdb",
        });
        let rules: Vec<Value> = self.rules.iter().map(rule).collect();
        let comparisons: Vec<Value> = self
            .comparisons
            .iter()
            .map(|it| comparison(it, target))
            .collect();
        if let Value::Object(out) = &mut out {
            if let Some(uid) = &self.linker_uid {
                out.insert("linker_uid".into(), json!(uid));
            }
            out.insert("em_convergence".into(), json!(self.em_convergence));
            out.insert("max_iterations".into(), json!(self.max_iterations));
            out.insert(prefix.0.into(), json!(prefix.1));
            out.insert(
                "term_frequency_adjustment_column_prefix".into(),
                json!("tf_"),
            );
            out.insert(
                "comparison_vector_value_column_prefix".into(),
                json!("gamma_"),
            );
            out.insert("unique_id_column_name".into(), json!(self.unique_id));
            out.insert("source_dataset_column_name".into(), json!(self.source));
            out.insert(
                "blocking_rules_to_generate_predictions".into(),
                Value::Array(rules),
            );
            out.insert("comparisons".into(), Value::Array(comparisons));
        }
        serde_json::to_string_pretty(&out).unwrap_or_default()
    }
}

fn rule(rule: &Rule) -> Value {
    let mut out = Map::new();
    out.insert("blocking_rule".into(), json!(rule.sql));
    out.insert("sql_dialect".into(), json!("duckdb"));
    if !rule.arrays_to_explode.is_empty() {
        out.insert("arrays_to_explode".into(), json!(rule.arrays_to_explode));
    }
    Value::Object(out)
}

fn comparison(comparison: &Comparison, target: SplinkVersion) -> Value {
    let levels: Vec<Value> = comparison
        .levels
        .iter()
        .map(|it| level(it, target))
        .collect();
    let mut out = Map::new();
    out.insert("output_column_name".into(), json!(comparison.name));
    out.insert("comparison_levels".into(), Value::Array(levels));
    if let Some(description) = &comparison.description {
        out.insert("comparison_description".into(), json!(description));
    }
    Value::Object(out)
}

fn level(level: &Level, target: SplinkVersion) -> Value {
    let mut out = Map::new();
    out.insert("sql_condition".into(), json!(level.sql));
    out.insert("label_for_charts".into(), json!(level.label));
    for (key, value) in [("m_probability", level.m), ("u_probability", level.u)] {
        if let Some(value) = value.filter(|_| !level.is_null) {
            out.insert(key.into(), json!(value));
        }
    }
    if target == SplinkVersion::V5 {
        out.insert("fix_m_probability".into(), json!(level.fix_m));
        out.insert("fix_u_probability".into(), json!(level.fix_u));
    }
    if let Some(frequency) = &level.term_frequency {
        out.insert("tf_adjustment_column".into(), json!(frequency.column));
        if let Some(least) = frequency.minimum_u {
            out.insert("tf_minimum_u_value".into(), json!(least));
        }
        out.insert("tf_adjustment_weight".into(), json!(frequency.weight));
        if frequency.own_u {
            out.insert("disable_tf_exact_match_detection".into(), json!(true));
        }
    }
    if level.is_null {
        out.insert("is_null_level".into(), json!(true));
    }
    Value::Object(out)
}
