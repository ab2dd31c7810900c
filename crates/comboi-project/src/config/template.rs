//! How the path of a dataset is made from its names.

use std::fmt;
use std::str::FromStr;

use crate::read::Refusal;
use crate::{DatasetId, Stage};

/// A path below a stage's root, with `{stage}`, `{source}`, `{table}` and `{dataset}` in it.
///
/// Whatever the names, the path it gives is relative, has no `.` or `..` in it and is safe as a key of
/// object storage: its own text is checked when it is read, and names are safe by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathTemplate(String);

/// A text can't be the template of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a path for datasets: {reason}")]
pub struct BadTemplate {
    text: String,
    reason: &'static str,
}

impl Refusal for BadTemplate {}

const PLACEHOLDERS: [&str; 4] = ["{stage}", "{source}", "{table}", "{dataset}"];

impl PathTemplate {
    /// What holds when a stage says nothing.
    pub fn default_of(stage: Stage) -> Self {
        Self(
            match stage {
                Stage::Bronze => "{source}/{table}",
                Stage::Silver => "refined/{dataset}.parquet",
                Stage::Gold => "metrics/{dataset}.parquet",
            }
            .to_owned(),
        )
    }

    /// The path of a dataset as the template gives it, with `.parquet` where the template has it.
    pub fn path(&self, dataset: &DatasetId) -> String {
        let source = match dataset {
            DatasetId::Extracted(source, _) => source.as_str(),
            DatasetId::Built(..) => "",
        };
        self.0
            .replace("{stage}", dataset.stage().as_str())
            .replace("{source}", source)
            .replace("{table}", dataset.name())
            .replace("{dataset}", dataset.name())
    }

    /// The path of a dataset below the local root of its stage, which is in the stage's folder already: without a
    /// leading `<stage>/`.
    pub fn path_below_stage(&self, dataset: &DatasetId) -> String {
        let path = self.path(dataset);
        let prefix = format!("{}/", dataset.stage());
        path.strip_prefix(&prefix)
            .map(str::to_owned)
            .unwrap_or(path)
    }

    /// Whether the path ends in `.parquet`: a dataset that is built in full is published as one file there.
    pub fn publishes_a_file(&self) -> bool {
        self.0.ends_with(".parquet")
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What keeps datasets of a stage from having each a path of its own, if anything does.
    pub(crate) fn unfit_for(&self, stage: Stage) -> Option<&'static str> {
        let has = |name: &str| self.0.contains(name);
        match stage {
            _ if !has("{table}") && !has("{dataset}") => {
                Some("it has no `{table}` or `{dataset}`, so datasets would share one path")
            }
            Stage::Bronze if !has("{source}") => {
                Some("it has no `{source}`, so tables of two sources would share one path")
            }
            Stage::Silver | Stage::Gold if has("{source}") => {
                Some("`{source}` has a meaning in bronze only")
            }
            _ => None,
        }
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PathTemplate {
    type Err = BadTemplate;

    fn from_str(text: &str) -> Result<Self, BadTemplate> {
        let bad = |reason| BadTemplate {
            text: text.chars().take(100).collect(),
            reason,
        };
        if text.len() > 500 {
            return Err(bad("it is longer than 500 characters"));
        }
        let fixed = PLACEHOLDERS
            .iter()
            .fold(text.to_owned(), |text, placeholder| {
                text.replace(placeholder, "x")
            });
        if fixed.contains(['{', '}']) {
            return Err(bad(
                "only {stage}, {source}, {table} and {dataset} may stand in braces",
            ));
        }
        let safe = |c: char| c.is_ascii_alphanumeric() || "._-=/".contains(c);
        if !fixed.chars().all(safe) {
            return Err(bad(
                "its own text may have letters, digits and `._-=/` only",
            ));
        }
        let body = fixed.strip_suffix(".parquet").unwrap_or(&fixed);
        if body
            .split('/')
            .any(|part| part.is_empty() || part.starts_with('.') || part.ends_with('.'))
        {
            return Err(bad(
                "a part between `/` is empty, or begins or ends with a dot",
            ));
        }
        if body.split('/').any(|part| part.starts_with('_')) {
            return Err(bad(
                "a part that begins with `_` is comboi's own, or Delta Lake's",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: &str) {
        let found = match template.parse::<PathTemplate>() {
            Ok(template) => template.path_below_stage(&"bronze/shop/orders".parse().unwrap()),
            Err(bad) => bad.reason.to_owned(),
        };
        assert_eq!(found, expected, "{template}");
    }

    #[test]
    fn names_take_the_place_of_braces() {
        check("{source}/{table}", "shop/orders");
        check("{stage}/{source}/{table}.parquet", "shop/orders.parquet");
        check("raw/{stage}/{source}-{dataset}", "raw/bronze/shop-orders");
    }

    #[test]
    fn a_path_stays_below_its_root() {
        let dots = "a part between `/` is empty, or begins or ends with a dot";
        for outside in [
            "../{table}",
            "/{table}",
            "a/../../{table}",
            "a//{table}",
            "./{table}",
            "{table}/",
            "",
            ".parquet",
        ] {
            check(outside, dots);
        }
        let letters = "its own text may have letters, digits and `._-=/` only";
        for strange in [
            "a b/{table}",
            "c:\\{table}",
            "{table}?x",
            "ä/{table}",
            "a\0{table}",
            "%2e%2e/{table}",
        ] {
            check(strange, letters);
        }
        check(
            "{tabel}",
            "only {stage}, {source}, {table} and {dataset} may stand in braces",
        );
        check(
            "{{table}}",
            "only {stage}, {source}, {table} and {dataset} may stand in braces",
        );
        check(
            "_delta_log/{table}",
            "a part that begins with `_` is comboi's own, or Delta Lake's",
        );
    }
}
