//! Records and a model, made ready for each other.

mod opening;

use std::path::PathBuf;
use std::sync::Arc;

use comboi_engine::{Interrupter, Records as Table, Session};
use comboi_project::Columns;
use tracing::debug;

use self::opening::{Opening, Parts};
use crate::Error;
use crate::compile::Compiled;
use crate::expression;
use crate::load::{Loaded, load};
use crate::model::{Adjustment, Model, Weights};
use crate::pair::{Data, has_letters};
use crate::rules::{Compiling, Index, KeyColumns, RulePairs};
use crate::settings::{Comparison, Settings};
use crate::train::Training;
use crate::walk::on_threads;

/// A table of records.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// Parquet files that are alike. Rows are numbered over them in this order, from 0.
    pub files: &'a [PathBuf],
    /// The columns as people's SQL sees them; None: as the files have them.
    pub columns: Option<&'a Columns>,
    /// Whether a blank text counts as NULL, in all columns but the one that tells records apart.
    pub blank_is_null: bool,
}

/// How a comparison or a rule is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By comboi.
    Native,
    /// By DuckDB, pair by pair, and why.
    Sql(String),
}

/// Records and a model, made ready for each other.
pub struct Linkage {
    pub(crate) settings: Settings,
    pub(crate) table: Table,
    pub(crate) loaded: Loaded,
    pub(crate) rank_of: Vec<u32>,
    pub(crate) comparisons: Vec<Comparing>,
    pub(crate) rules: Vec<Compiling>,
    pub(crate) deterministic: Vec<Compiling>,
    pub(crate) em: Vec<Compiling>,
    /// What the records of one table have in common, where only those of different tables are linked.
    pub(crate) same_source: Option<Compiling>,
    pub(crate) threads: usize,
    pub(crate) interrupter: Interrupter,
}

/// A comparison made ready.
pub(crate) struct Comparing {
    pub(crate) way: ComparingWay,
    /// The number of each level.
    pub(crate) gammas: Vec<i8>,
    /// Every column that a level reads.
    pub(crate) columns: Vec<String>,
    /// Levels that are for equal values, with those columns.
    pub(crate) exact: Vec<(usize, Vec<String>)>,
    /// For each level, the field and the shares of the values that adjust it.
    pub(crate) frequencies: Vec<Option<(u32, Arc<Vec<f64>>)>>,
}

pub(crate) enum ComparingWay {
    Native(Compiled),
    Sql {
        /// Conditions over `l` and `r`, and the number of the level that each is of. None always holds.
        cases: Vec<(Option<String>, i8)>,
        reason: String,
    },
}

impl Linkage {
    /// Reads of the records what the settings and rules of training are about. Whatever is wrong with the settings is told at once.
    pub fn open(
        session: &Session,
        records: &Records<'_>,
        settings: Settings,
        training: Option<&Training>,
    ) -> Result<Self, Error> {
        let table = Table::open(
            session,
            records.files,
            records.columns,
            records.blank_is_null.then_some(settings.unique_id.as_str()),
            &settings.place,
        )?;
        if table.row_count() >= u64::from(u32::MAX) {
            return Err(Error::TooManyRecords {
                rows: table.row_count(),
            });
        }
        let mut opening = Opening::new(session, &table);
        let mut parts: Parts = opening.parts(&settings, training)?;
        let Opening {
            sources, layout, ..
        } = opening;
        let domains = layout.domains(sources.sql.len());
        let mut lettered = vec![false; sources.sql.len()];
        for compiled in parts.compiled_mut() {
            for kernel in compiled.kernels.iter_mut().filter(|it| it.is_of_texts()) {
                let (a, b) = kernel.sources;
                for source in [a, b] {
                    lettered[source] = sources.class(source).is_ok_and(|it| has_letters(&it));
                }
                kernel.domains = (domains[a], domains[b]);
            }
        }
        let threads = session.limits().threads.max(1);
        let rows = table.row_count();
        let at_least = rows * (4 * u64::from(layout.width) + 8);
        within_memory(session, rows, at_least)?;
        let loaded = load(&table, &sources, &layout, &lettered, &parts.ids, threads)?;
        within_memory(session, rows, 8 * rows + loaded.data.bytes())?;
        let mut rank_of = vec![0; loaded.row_of.len()];
        for (rank, row) in (0_u32..).zip(&loaded.row_of) {
            rank_of[*row as usize] = rank;
        }
        parts.count_frequencies(&loaded, threads, &session.interrupter())?;
        debug!(
            rows = loaded.row_of.len(),
            words = loaded.data.width,
            "records are ready to be linked"
        );
        Ok(Self {
            settings,
            table,
            loaded,
            rank_of,
            comparisons: parts.comparisons,
            rules: parts.rules,
            deterministic: parts.deterministic,
            em: parts.em,
            same_source: parts.same_source,
            threads,
            interrupter: session.interrupter(),
        })
    }

    /// How many records there are.
    pub fn row_count(&self) -> u32 {
        u32::try_from(self.loaded.row_of.len()).unwrap_or(u32::MAX)
    }

    /// The model, with what training found.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many pairs each rule gives. Nothing is compared, but rules without a key are run by DuckDB.
    pub fn rules(&self) -> Result<Vec<RulePairs>, Error> {
        Ok(self.index(&self.rules)?.iter().map(Index::pairs).collect())
    }

    /// Drops the rules that give more pairs than this, and tells which: they are not asked of anybody's records, as keys that nobody gave.
    pub fn drop_wide_rules(&mut self, most: u64) -> Result<Vec<RulePairs>, Error> {
        let counted = self.rules()?;
        let wide = |it: &RulePairs| it.pairs > most;
        let mut keep = counted.iter().map(|it| !wide(it));
        self.rules.retain(|_| keep.next().unwrap_or(true));
        let mut keep = counted.iter().map(|it| !wide(it));
        self.settings.rules.retain(|_| keep.next().unwrap_or(true));
        Ok(counted.into_iter().filter(wide).collect())
    }

    /// How each comparison and each rule is computed, by its name.
    pub fn ways(&self) -> Vec<(String, Way)> {
        let comparisons = self.settings.comparisons.iter().zip(&self.comparisons);
        let comparisons = comparisons.map(|(it, ready)| {
            let way = match &ready.way {
                ComparingWay::Native(_) => Way::Native,
                ComparingWay::Sql { reason, .. } => Way::Sql(reason.clone()),
            };
            (it.name.clone(), way)
        });
        let rules = self.rules.iter().map(|it| {
            let way = it
                .why_sql()
                .map_or(Way::Native, |why| Way::Sql(why.to_owned()));
            (it.rule.sql.clone(), way)
        });
        comparisons.chain(rules).collect()
    }

    /// The row of the record whose id, as text, is this.
    pub fn row_of_id(&self, id: &str) -> Result<u32, Error> {
        let column = &self.settings.unique_id;
        self.table
            .find(column, id)?
            .ok_or_else(|| Error::NoSuchRecord {
                column: column.clone(),
                id: id.to_owned(),
            })
    }

    pub(crate) fn data(&self) -> &Data {
        &self.loaded.data
    }

    pub(crate) fn index<'a>(&self, rules: &'a [Compiling]) -> Result<Vec<Index<'a>>, Error> {
        let fields = rules.iter().flat_map(Compiling::fields);
        let columns = KeyColumns::of(self.data(), fields, self.threads);
        let at_hand = on_threads(rules.len(), self.threads, &self.interrupter, |at, _| {
            rules[at].index_at_hand(&columns)
        })?;
        let each = rules.iter().zip(at_hand);
        each.map(|(rule, index)| index.map_or_else(|| self.index_one(rule), Ok))
            .collect()
    }

    pub(crate) fn index_one<'a>(&self, rule: &'a Compiling) -> Result<Index<'a>, Error> {
        let columns = KeyColumns::of(self.data(), rule.fields(), self.threads);
        rule.index(
            &self.table,
            &columns,
            &self.rank_of,
            &self.settings.unique_id,
        )
    }

    /// The model's numbers as they are now.
    pub(crate) fn model(&self) -> Model {
        let comparisons = self.settings.comparisons.iter().zip(&self.comparisons);
        Model {
            prior: Model::prior_of(&self.settings),
            comparisons: comparisons
                .map(|(settings, ready)| Weights::of(settings, ready.adjustments(settings)))
                .collect(),
        }
    }
}

/// What is held of records while they are compared lies in memory, beside DuckDB: it does not spill.
fn within_memory(session: &Session, rows: u64, bytes: u64) -> Result<(), comboi_engine::Error> {
    const MIB: u64 = 1 << 20;
    let limit = session.limits().memory_bytes;
    if bytes <= limit {
        return Ok(());
    }
    Err(comboi_engine::Error::OutOfMemory {
        doing: format!(
            "compare {rows} rows (they take {} MiB)",
            bytes.div_ceil(MIB)
        ),
        limit_mib: limit / MIB,
    })
}

impl Comparing {
    /// By the number of the level (gamma).
    fn adjustments(&self, comparison: &Comparison) -> Vec<Option<Adjustment>> {
        let parameters = comparison.parameters();
        let mut out: Vec<Option<Adjustment>> = vec![None; parameters.len()];
        for (at, frequency) in self.frequencies.iter().enumerate() {
            let Some(((field, logs), level)) = frequency.as_ref().zip(comparison.levels.get(at))
            else {
                continue;
            };
            let Some(settings) = &level.term_frequency else {
                continue;
            };
            let gamma = usize::try_from(self.gammas[at]).unwrap_or(0);
            let equal = self
                .exact_level_of(&settings.column)
                .map(|it| self.gammas[it]);
            let equal = equal.and_then(|it| usize::try_from(it).ok());
            let of = if settings.own_u {
                gamma
            } else {
                equal.unwrap_or(gamma)
            };
            let place = |side| crate::pair::Place { side, at: *field };
            out[gamma] = Some(Adjustment {
                l: place(expression::Side::Left),
                r: place(expression::Side::Right),
                logs: Arc::clone(logs),
                weight: settings.weight,
                log_u: parameters[of].1.log2(),
                log_least: settings.minimum_u.map_or(f64::NEG_INFINITY, f64::log2),
            });
        }
        out
    }

    /// The level that is for equal values of this one column.
    fn exact_level_of(&self, column: &str) -> Option<usize> {
        let is = |columns: &[String]| matches!(columns, [one] if one.to_lowercase() == column.to_lowercase());
        self.exact.iter().find(|it| is(&it.1)).map(|it| it.0)
    }
}
