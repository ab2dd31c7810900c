//! `transformations.yml`: which datasets are built, and from what.

use crate::dedupe::{Dedupe, Splink};
use crate::read::{Located, Read, Reader, Written, choice, record};
use crate::yaml::{Node, Value};
use crate::{Alias, DatasetName, Stage};

record! {
    /// The datasets that are built from others, by stage.
    #[derive(Default)]
    pub struct Transformations, "the transformations" {
        /// Datasets of silver.
        pub silver: Vec<Transformation> = Vec::new(),
        /// Datasets of gold.
        pub gold: Vec<Transformation> = Vec::new(),
    }
}

record! {
    /// How a dataset is built.
    pub struct Transformation, "a transformation" {
        /// The dataset's name, which is also its SQL file's.
        pub name: Located<DatasetName>,
        /// How: by SQL.
        pub kind: TransformationKind as "type" = TransformationKind::Sql,
        /// What it is.
        pub description: Option<String>,
        /// Words to select it by.
        pub tags: Vec<String> = Vec::new(),
        /// What its query sees. A calendar, say, reads nothing.
        pub inputs: Vec<Located<InputRef>> = Vec::new(),
        /// The contracts that it keeps: `contract:<name of the file>`.
        pub quality_checks: Vec<Located<String>> = Vec::new(),
        /// Splink's settings or a model that it saved: how rows are compared that may be the same thing.
        pub splink: Option<Written<Located<Splink>>>,
        /// Which of its rows are the same thing, and what becomes of them.
        pub dedupe: Option<Written<Located<Dedupe>>>,
    }
}

choice! {
    /// How a dataset is built.
    pub enum TransformationKind {
        /// By a query of DuckDB.
        Sql = "sql",
    }
}

/// What a query sees, and under which name.
#[derive(Clone, Debug, PartialEq)]
pub enum InputRef {
    /// The dataset that lives at a path of a stage, as in the README.
    Path {
        /// The name in the query.
        alias: Located<Alias>,
        /// The stage.
        stage: Located<Stage>,
        /// The dataset's path below the stage, such as `crm/customers.parquet`.
        source_path: Located<String>,
    },
    /// A dataset by its name: `customers_clean`, `silver/customers_clean`, `shop/orders` or `bronze/shop/orders`.
    Dataset {
        /// The name in the query; the last part of the dataset's name by default.
        alias: Option<Located<Alias>>,
        /// The dataset.
        dataset: Located<String>,
    },
}

record! {
    /// An input as a path of a stage.
    pub struct PathInput, "an input" {
        /// The name in the query.
        pub alias: Located<Alias>,
        /// The stage.
        pub stage: Located<Stage>,
        /// The dataset's path below the stage, such as `crm/customers.parquet`.
        pub source_path: Located<String>,
    }
}

record! {
    /// An input as the name of a dataset.
    pub struct DatasetInput, "an input" {
        /// The name in the query; the last part of the dataset's name by default.
        pub alias: Option<Located<Alias>>,
        /// Such as `customers_clean`, `silver/customers_clean`, `shop/orders` or `bronze/shop/orders`.
        pub dataset: Located<String>,
    }
}

impl Read for InputRef {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if let Value::Scalar(_) = &node.value {
            let dataset = Located::<String>::read(node, reader)?;
            return Some(Self::Dataset {
                alias: None,
                dataset,
            });
        }
        if node.get("stage").is_some() || node.get("source_path").is_some() {
            let PathInput {
                alias,
                stage,
                source_path,
            } = PathInput::read(node, reader)?;
            return Some(Self::Path {
                alias,
                stage,
                source_path,
            });
        }
        let DatasetInput { alias, dataset } = DatasetInput::read(node, reader)?;
        Some(Self::Dataset { alias, dataset })
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "oneOf": [{ "type": "string" }, PathInput::schema(), DatasetInput::schema()] })
    }
}
