//! Names: text that is safe in a file name, in a key of the lake, in SQL and in a log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// The longest a name may be: with stage, source and table in one path it stays below the 255 bytes
/// that file systems allow for one segment and the 1,024 characters of a blob's name.
pub const MAX_NAME_LENGTH: usize = 128;

/// What a deduplication keeps beside its dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Companion {
    /// Which row is in which cluster.
    Clusters,
    /// How clusters merged and split.
    ClusterLog,
    /// Which pairs of rows were found alike, and how much.
    Pairs,
}

impl Companion {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clusters, Self::ClusterLog, Self::Pairs];

    /// What stands behind the dataset's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Clusters => "__clusters",
            Self::ClusterLog => "__cluster_log",
            Self::Pairs => "__pairs",
        }
    }
}

/// A text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a name: {reason}")]
pub struct BadName {
    text: String,
    reason: &'static str,
    suggestion: Option<String>,
}

impl BadName {
    /// A name close to the text that was refused, if there is one.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

fn checked(text: &str) -> Result<String, BadName> {
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.len() > MAX_NAME_LENGTH {
        "it is longer than 128 characters"
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        "it starts with something else than a lower-case letter"
    } else if !text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        "it has something else than lower-case letters, digits and `_`"
    } else {
        return Ok(text.to_owned());
    };
    Err(BadName {
        text: shortened(text),
        reason,
        suggestion: nearest_name(text),
    })
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Lower case, anything else folded to single `_`, nothing before the first letter.
fn nearest_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.chars().take(MAX_NAME_LENGTH) {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || (c.is_ascii_digit() && !name.is_empty()) {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    (!name.is_empty()).then(|| name.to_owned())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        ///
        /// Starts with a lower-case letter and goes on with lower-case letters, digits and `_`, 128
        /// at most, so it is safe in a file name, in a key of the lake and in SQL.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                checked(text).map(Self)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// The name of a source, such as `crm_database`.
    SourceName
}
name! {
    /// The name of a table of a source, such as `customers`.
    TableName
}
name! {
    /// The name of a dataset of silver or gold, such as `customers_clean`.
    DatasetName
}
name! {
    /// The name under which a query sees one of its inputs, such as `bronze_customers`.
    Alias
}
name! {
    /// The name of a pipeline: the configuration file's, without its extension, unless it says otherwise.
    PipelineName
}

/// Where a dataset lives and what may read it. Ordered from the sources to the readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// What the sources had.
    Bronze,
    /// Cleaned, and held to contracts.
    Silver,
    /// Ready for the business.
    Gold,
}

impl Stage {
    /// All stages, in the order in which they are built.
    pub const ALL: [Self; 3] = [Self::Bronze, Self::Silver, Self::Gold];

    /// The stage as it is written in YAML, in paths and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bronze => "bronze",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text is neither `bronze`, `silver` nor `gold`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stage: expected `bronze`, `silver` or `gold`")]
pub struct BadStage(String);

impl FromStr for Stage {
    type Err = BadStage;
    fn from_str(text: &str) -> Result<Self, BadStage> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .ok_or_else(|| BadStage(shortened(text)))
    }
}

/// One dataset of the lake.
///
/// Its text is `bronze/<source>/<table>` or `<stage>/<dataset>`, and is also the name of the task that makes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DatasetId {
    /// A table of a source as it was extracted. Always in bronze.
    Extracted(SourceName, TableName),
    /// A dataset that a transformation builds, in silver or gold.
    Built(Stage, DatasetName),
}

impl DatasetId {
    /// Where the dataset lives.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Extracted(..) => Stage::Bronze,
            Self::Built(stage, _) => *stage,
        }
    }

    /// The last part of the name: the table's or the dataset's.
    pub fn name(&self) -> &str {
        match self {
            Self::Extracted(_, table) => table.as_str(),
            Self::Built(_, dataset) => dataset.as_str(),
        }
    }
}

impl fmt::Display for DatasetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Extracted(source, table) => write!(f, "bronze/{source}/{table}"),
            Self::Built(stage, dataset) => write!(f, "{stage}/{dataset}"),
        }
    }
}

/// A text is not the name of a dataset in the lake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDatasetId {
    /// Not of the form `stage/…`.
    #[error("`{0}` is not a dataset: expected `bronze/<source>/<table>` or `<stage>/<dataset>`")]
    Form(String),
    /// The first part is no stage.
    #[error(transparent)]
    Stage(#[from] BadStage),
    /// A part is no name.
    #[error(transparent)]
    Name(#[from] BadName),
}

impl FromStr for DatasetId {
    type Err = BadDatasetId;
    fn from_str(text: &str) -> Result<Self, BadDatasetId> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["bronze", source, table] => Ok(Self::Extracted(source.parse()?, table.parse()?)),
            [stage, dataset] => match stage.parse()? {
                Stage::Bronze => Err(BadDatasetId::Form(shortened(text))),
                stage => Ok(Self::Built(stage, dataset.parse()?)),
            },
            _ => Err(BadDatasetId::Form(shortened(text))),
        }
    }
}

impl Serialize for DatasetId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DatasetId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The number of a run of a pipeline: 1, 2, 3, … Greater is later; numbers may be left out.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RunId(pub u32);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_name_says_why_and_what_would_be() {
        let check = |text: &str, reason: &str, suggestion: Option<&str>| {
            let bad = text.parse::<TableName>().unwrap_err();
            assert_eq!(
                (bad.reason, bad.suggestion()),
                (reason, suggestion),
                "{text}"
            );
        };
        check("", "it is empty", None);
        check(
            &"a".repeat(129),
            "it is longer than 128 characters",
            Some(&"a".repeat(128)),
        );
        let start = "it starts with something else than a lower-case letter";
        check("Orders", start, Some("orders"));
        check("_x", start, Some("x"));
        check("2024_orders", start, Some("orders"));
        check("../etc", start, Some("etc"));
        let inside = "it has something else than lower-case letters, digits and `_`";
        check("order-items", inside, Some("order_items"));
        check("a/../../b", inside, Some("a_b"));
        check("straße", inside, Some("stra_e"));
        check("a\0", inside, Some("a"));
    }

    #[test]
    fn datasets_are_told_by_their_text() {
        for text in ["bronze/shop/orders", "silver/orders_clean", "gold/revenue"] {
            assert_eq!(text.parse::<DatasetId>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "orders",
            "bronze/orders",
            "silver/a/b",
            "copper/a",
            "silver/",
            "silver/A",
            "bronze/a/b/c",
        ] {
            assert!(text.parse::<DatasetId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_safe_everywhere(text in "\\PC{0,140}|[a-z][a-z0-9_]{0,130}") {
            if let Ok(name) = text.parse::<SourceName>() {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert!(text.len() <= 128);
                prop_assert!(text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
                prop_assert!(text.starts_with(|c: char| c.is_ascii_lowercase()));
            }
        }

        #[test]
        fn a_suggested_name_is_a_name(text in "\\PC{0,140}|[A-Z0-9 .-]{0,140}") {
            if let Err(bad) = text.parse::<SourceName>() && let Some(suggestion) = bad.suggestion() {
                prop_assert!(suggestion.parse::<SourceName>().is_ok(), "{}", suggestion);
            }
        }
    }
}
