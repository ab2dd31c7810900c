//! `schema.yml` of dbt: models with their columns and generic tests, as contracts.

use comboi_project::{DatasetName, SqlType};
use serde_json::{Map, Value as Json, json};

use crate::odcs::Imported;

/// Whether a file says that it describes models of dbt.
pub fn is_dbt(document: &Json) -> bool {
    ["models", "sources", "seeds", "snapshots"]
        .iter()
        .any(|key| document.get(key).is_some_and(Json::is_array))
        && document.get("silver").is_none()
}

/// The contract of one model; `model` says which, where there are several. An error says why there is none.
pub fn import(document: &Json, model: Option<&str>) -> Result<Imported, String> {
    let all: Vec<&Json> = ["models", "seeds", "snapshots"]
        .iter()
        .flat_map(|key| list(document, key))
        .chain(
            list(document, "sources")
                .iter()
                .flat_map(|source| list(source, "tables")),
        )
        .collect();
    let found = match (model, all.as_slice()) {
        (Some(wanted), all) => all.iter().find(|it| text(it, "name") == Some(wanted)),
        (None, [one]) => Some(one),
        (None, _) => None,
    };
    let Some(found) = found else {
        let names: Vec<&str> = all.iter().filter_map(|it| text(it, "name")).collect();
        return Err(match names.as_slice() {
            [] => "it describes no model".to_owned(),
            names => format!("say which model is meant: {}", names.join(", ")),
        });
    };
    let name = text(found, "name").unwrap_or_default().to_owned();
    let dataset: DatasetName = name
        .parse()
        .or_else(|bad: comboi_project::BadName| bad.suggestion().unwrap_or_default().parse())
        .map_err(|_| format!("no dataset's name can be made from `{name}`"))?;
    let mut importing = Importing::default();
    let columns: Vec<Json> = list(found, "columns")
        .iter()
        .map(|column| importing.column(column))
        .collect();
    for test in generic_tests(found) {
        importing.test(&test, None);
    }
    let mut contract = Map::new();
    contract.insert("version".to_owned(), "1.0.0".into());
    contract.insert("dataset".to_owned(), dataset.to_string().into());
    if let Some(description) = text(found, "description").filter(|it| !it.trim().is_empty()) {
        contract.insert("description".to_owned(), description.trim().into());
    }
    contract.insert("schema".to_owned(), json!({ "columns": columns }));
    if !importing.rules.is_empty() {
        contract.insert("quality_rules".to_owned(), importing.rules.into());
    }
    Ok(Imported {
        contract: contract.into(),
        object: name,
        loose: importing.loose,
        notes: importing.notes,
    })
}

#[derive(Default)]
struct Importing {
    loose: Vec<String>,
    notes: Vec<String>,
    rules: Vec<Json>,
}

/// A generic test: its name, its arguments, and what is said of how it is run.
struct Test {
    kind: String,
    arguments: Map<String, Json>,
}

impl Test {
    fn of(test: &Json) -> Option<Self> {
        let (kind, arguments) = match test {
            Json::String(kind) => (kind.clone(), Map::new()),
            Json::Object(entries) => {
                let (kind, arguments) = entries.iter().next()?;
                (
                    kind.clone(),
                    arguments.as_object().cloned().unwrap_or_default(),
                )
            }
            _ => return None,
        };
        // Since dbt 1.10 arguments stand under a key of their own.
        let mut all = arguments.clone();
        if let Some(Json::Object(more)) = arguments.get("arguments") {
            all.remove("arguments");
            all.extend(more.clone());
        }
        if let Some(Json::Object(config)) = arguments.get("config") {
            all.remove("config");
            all.extend(config.clone());
        }
        let kind = kind.rsplit('.').next().unwrap_or(&kind).to_owned();
        Some(Self {
            kind,
            arguments: all,
        })
    }

    /// `where` and severity, which a constraint can't say.
    fn terms(&self) -> Map<String, Json> {
        let mut terms = Map::new();
        if let Some(filter) = self.arguments.get("where") {
            terms.insert("where".to_owned(), filter.clone());
        }
        let severity = self
            .arguments
            .get("severity")
            .and_then(Json::as_str)
            .map(str::to_ascii_lowercase);
        if severity.as_deref() == Some("warn") {
            terms.insert("severity".to_owned(), "warning".into());
        }
        terms
    }
}

impl Importing {
    fn column(&mut self, column: &Json) -> Json {
        let name = text(column, "name").unwrap_or_default().to_owned();
        let mut out = Map::new();
        out.insert("name".to_owned(), name.as_str().into());
        let known = text(column, "data_type").and_then(|said| said.parse::<SqlType>().ok());
        if known.is_none() {
            self.loose.push(name.clone());
        }
        let sql_type = known.map_or_else(|| "VARCHAR".to_owned(), |known| known.to_string());
        out.insert("type".to_owned(), sql_type.into());
        if let Some(description) = text(column, "description").filter(|it| !it.trim().is_empty()) {
            out.insert("description".to_owned(), description.trim().into());
        }
        let mut constraints = Vec::new();
        let declared = list(column, "constraints")
            .iter()
            .filter_map(|it| text(it, "type"))
            .map(Json::from);
        for test in declared.chain(generic_tests(column)) {
            let plain = Test::of(&test).filter(|test| test.terms().is_empty());
            match plain {
                Some(test) if test.kind == "not_null" => {
                    out.insert("nullable".to_owned(), false.into());
                }
                Some(test) if test.kind == "primary_key" => {
                    out.insert("nullable".to_owned(), false.into());
                    constraints.push(json!({ "unique": true }));
                }
                Some(test) => match constraint(&test) {
                    Some(constraint) => constraints.push(constraint),
                    None => self.test(&json_of(&test), Some(&name)),
                },
                None => self.test(&test, Some(&name)),
            }
        }
        constraints.dedup();
        if !constraints.is_empty() {
            out.insert("constraints".to_owned(), constraints.into());
        }
        out.into()
    }

    /// A test that becomes a rule.
    fn test(&mut self, test: &Json, column: Option<&str>) {
        let Some(test) = Test::of(test) else { return };
        let number = self.rules.len() + 1;
        let argument = |key: &str| test.arguments.get(key).cloned();
        let mut rule = Map::new();
        let said = argument("name").and_then(|it| it.as_str().map(str::to_owned));
        let name = said.unwrap_or_else(|| match column {
            Some(column) => format!("{column}_{}_{number}", test.kind),
            None => format!("{}_{number}", test.kind),
        });
        rule.insert("name".to_owned(), name.as_str().into());
        let mut with = |key: &str, value: Option<Json>| {
            if let Some(value) = value {
                rule.insert(key.to_owned(), value);
            }
        };
        with("column", column.map(Json::from));
        let kind = match (test.kind.as_str(), column.is_some()) {
            ("not_null", true) => "not_null",
            ("unique", true) => "uniqueness",
            ("accepted_values", true) => {
                with("values", argument("values"));
                "accepted_values"
            }
            ("not_accepted_values", true) => {
                with("values", argument("values"));
                "rejected_values"
            }
            ("relationships" | "relationships_where", true) => {
                with(
                    "dataset",
                    argument("to").as_ref().and_then(reference).map(Json::from),
                );
                with("to", argument("field"));
                with("to_where", argument("to_condition"));
                "foreign_key"
            }
            ("accepted_range", true) => {
                let inclusive = argument("inclusive")
                    .and_then(|it| it.as_bool())
                    .unwrap_or(true);
                with(
                    if inclusive {
                        "min_value"
                    } else {
                        "greater_than"
                    },
                    argument("min_value"),
                );
                with(
                    if inclusive { "max_value" } else { "less_than" },
                    argument("max_value"),
                );
                "range"
            }
            ("not_empty_string", true) => "not_empty",
            ("not_null_proportion", true) => {
                let least = argument("at_least")
                    .and_then(|it| it.as_f64())
                    .unwrap_or(1.0);
                let most = ((1.0 - least) * 10_000.0).round() / 100.0;
                with("unit", Some("percent".into()));
                with("must_be_less_or_equal_to", Some(json!(most)));
                "not_null"
            }
            ("expression_is_true", _) => {
                let expression = argument("expression")
                    .and_then(|it| it.as_str().map(str::to_owned))
                    .unwrap_or_default();
                let whole = match column {
                    Some(column) => format!("{} {expression}", comboi_project::quoted_name(column)),
                    None => expression,
                };
                rule.remove("column");
                rule.insert("expression".to_owned(), whole.into());
                "expression"
            }
            ("unique_combination_of_columns", false) => {
                with("columns", argument("combination_of_columns"));
                "uniqueness"
            }
            (other, _) => {
                self.notes.push(format!(
                    "the test `{other}` is not checked: comboi has no rule for it"
                ));
                return;
            }
        };
        rule.insert("type".to_owned(), kind.into());
        rule.extend(test.terms());
        if self
            .rules
            .iter()
            .any(|it| it.get("name") == rule.get("name"))
        {
            rule.insert("name".to_owned(), format!("{name}_{number}").into());
        }
        self.rules.push(rule.into());
    }
}

/// What a column says of itself.
fn constraint(test: &Test) -> Option<Json> {
    let argument = |key: &str| test.arguments.get(key);
    Some(match test.kind.as_str() {
        "unique" => json!({ "unique": true }),
        "accepted_values" => json!({ "allowed_values": argument("values")? }),
        "relationships" => {
            json!({ "foreign_key": { "dataset": reference(argument("to")?)?, "column": argument("field")? } })
        }
        _ => return None,
    })
}

/// The dataset in `ref('orders')` and `source('shop', 'orders')`.
fn reference(to: &Json) -> Option<String> {
    let quoted = |text: &str| {
        let parts: Vec<&str> = text.split(['\'', '"']).skip(1).step_by(2).collect();
        (!parts.is_empty()).then(|| parts.join("/"))
    };
    let text = to.as_str()?;
    Some(quoted(text).unwrap_or_else(|| text.to_owned()))
}

fn json_of(test: &Test) -> Json {
    json!({ test.kind.as_str(): test.arguments })
}

/// The generic tests of a model or a column, under either of their names.
fn generic_tests(of: &Json) -> Vec<Json> {
    ["tests", "data_tests"]
        .iter()
        .flat_map(|key| list(of, key).to_vec())
        .collect()
}

fn text<'a>(of: &'a Json, key: &str) -> Option<&'a str> {
    of.get(key)?.as_str()
}

fn list<'a>(of: &'a Json, key: &str) -> &'a [Json] {
    of.get(key)
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use comboi_project::{NamedContract, yaml_as_json};

    use super::*;
    use crate::yaml;

    #[test]
    fn generic_tests_become_constraints_and_rules() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("schema.yml");
        let text = "version: 2\nmodels:\n  - name: orders\n    description: Orders\n    tests:\n      - dbt_utils.unique_combination_of_columns:\n          combination_of_columns: [order_id, line]\n      - dbt_utils.recency: { datepart: day, field: at, interval: 1 }\n    columns:\n      - name: order_id\n        data_type: bigint\n        data_tests: [unique, not_null]\n      - name: status\n        tests:\n          - accepted_values: { values: [placed, shipped] }\n          - not_null: { config: { severity: warn, where: \"order_id > 5\" } }\n      - name: customer_id\n        tests:\n          - relationships: { to: \"ref('customers')\", field: id }\n          - dbt_utils.accepted_range: { min_value: 0, inclusive: false }\n          - dbt_utils.not_null_proportion: { at_least: 0.95 }\n          - dbt_utils.expression_is_true: { expression: \">= 1\" }\n";
        std::fs::write(&path, text).unwrap();
        let document = yaml_as_json(&path).unwrap();
        assert!(is_dbt(&document));
        let imported = import(&document, None).unwrap();
        assert_eq!(
            imported.notes,
            ["the test `recency` is not checked: comboi has no rule for it"]
        );
        assert_eq!(imported.loose, ["status", "customer_id"]);
        let told = yaml::document(&imported.contract);
        assert_eq!(
            told,
            "version: \"1.0.0\"\ndataset: orders\ndescription: Orders\nschema:\n  columns:\n    - name: order_id\n      type: BIGINT\n      nullable: false\n      constraints:\n        - unique: true\n    - name: status\n      type: VARCHAR\n      constraints:\n        - allowed_values:\n            - placed\n            - shipped\n    - name: customer_id\n      type: VARCHAR\n      constraints:\n        - foreign_key:\n            dataset: customers\n            column: id\nquality_rules:\n  - name: status_not_null_1\n    column: status\n    type: not_null\n    where: \"order_id > 5\"\n    severity: warning\n  - name: customer_id_accepted_range_2\n    column: customer_id\n    greater_than: 0\n    type: range\n  - name: customer_id_not_null_proportion_3\n    column: customer_id\n    unit: percent\n    must_be_less_or_equal_to: 5.0\n    type: not_null\n  - name: customer_id_expression_is_true_4\n    expression: \"customer_id >= 1\"\n    type: expression\n  - name: unique_combination_of_columns_5\n    columns:\n      - order_id\n      - line\n    type: uniqueness\n"
        );
        let contract = told.replace("      - line\n", "").replace(
            "      type: VARCHAR\n      constraints:\n        - foreign_key",
            "      type: BIGINT\n      constraints:\n        - foreign_key",
        );
        std::fs::write(&path, &contract).unwrap();
        NamedContract::load(&path, &|_| None)
            .unwrap_or_else(|problems| panic!("{problems}\n{contract}"));
    }
}
