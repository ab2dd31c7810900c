//! How a dataset may change.

use super::check::Checker;
use crate::read::{Entries, Located, choice, record};

record! {
    /// How a dataset may change.
    pub struct Evolution, "evolution" {
        /// What comboi does when the contract or the data change.
        pub mode: Option<Located<EvolutionMode>>,
        /// Between which versions readers keep working; `none` takes every change for a compatible one.
        pub compatibility: Option<Compatibility>,
        /// Whether columns may be added: `false` makes that a change that breaks readers.
        pub allow_new_columns: Option<bool>,
        /// Whether columns may go: `true` makes that a change that breaks nobody.
        pub allow_column_removal: Option<bool>,
        /// Whether types may change: `true` makes that a change that breaks nobody.
        pub allow_type_changes: Option<bool>,
        /// Whether the dataset is on its way out, and what to use instead.
        pub deprecated: Option<String>,
        /// What changed, version by version.
        pub changes: Entries<String> = Entries::default(),
    }
}

choice! {
    /// What comboi does when the contract or the data change.
    pub enum EvolutionMode {
        /// Every change of the contract needs the version that it demands, a compatible one too; a column that the contract does not list
        /// is an error.
        Strict = "strict",
        /// A change that breaks readers needs a new major version; a column that the contract does not list is a warning.
        Lenient = "lenient",
        /// As `lenient`, and columns that the contract does not list are welcome: they are published and told.
        Auto = "auto",
    }
}

choice! {
    /// Between which versions readers keep working.
    pub enum Compatibility {
        /// Readers of the new version can read old data.
        Backward = "backward",
        /// Readers of the old version can read new data.
        Forward = "forward",
        /// Both.
        Full = "full",
        /// Neither.
        None = "none",
    }
}

impl super::Contract {
    /// What is done when the contract or the data change.
    pub fn evolution_mode(&self) -> EvolutionMode {
        self.evolution
            .as_ref()
            .and_then(|evolution| evolution.mode.as_ref())
            .map_or(EvolutionMode::Lenient, |mode| mode.value)
    }

    /// Says of columns that the contract does not list what its mode says of them.
    pub(crate) fn evolve(&mut self) {
        match self.evolution_mode() {
            EvolutionMode::Strict => self.schema.value.exact = true,
            EvolutionMode::Auto => self.schema.value.allow_extra_columns = true,
            EvolutionMode::Lenient => {}
        }
    }

    /// Columns that are on their way out: the name, what was said of it, and what replaces it.
    pub fn deprecated_columns(&self) -> impl Iterator<Item = (&str, &str, Option<&str>)> {
        self.schema.columns.iter().filter_map(|column| {
            let said = column
                .deprecated
                .as_deref()
                .filter(|said| *said != "false")?;
            let replacement = column.replacement.as_ref().map(|it| it.as_str());
            Some((column.name.as_str(), said, replacement))
        })
    }
}

impl Checker<'_> {
    pub(super) fn evolution(&mut self) {
        for column in &self.contract.schema.columns {
            let Some(replacement) = &column.replacement else {
                continue;
            };
            if column.deprecated.is_none() {
                self.report(
                    &replacement.place,
                    format!(
                        "`{}` has a replacement and is not deprecated",
                        column.name.value
                    ),
                    Some("add `deprecated: true`".to_owned()),
                );
            }
            self.has_column(replacement);
        }
        let strict = self.contract.evolution_mode() == EvolutionMode::Strict;
        if let Some(version) = &self.contract.version
            && !is_semver(version)
        {
            self.report(
                &version.place,
                format!("`{}` is no version", version.value),
                Some("write three numbers, such as \"1.0.0\"".to_owned()),
            );
        } else if strict && self.contract.version.is_none() {
            let place = self.contract.dataset.place.clone();
            self.report(
                &place,
                "a contract that evolves strictly needs a version",
                Some("add `version: \"1.0.0\"`".to_owned()),
            );
        }
    }
}

/// `1.2.3`, or with fewer parts `1` and `1.2`; what may follow, `-beta` or `+build`, is left aside.
fn is_semver(version: &Located<String>) -> bool {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = plain.split('.').collect();
    (1..=3).contains(&parts.len()) && parts.iter().all(|part| part.parse::<u32>().is_ok())
}
