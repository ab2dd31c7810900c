//! Records and a model, made ready for each other.

use std::path::PathBuf;
use std::sync::Arc;

use comboi_engine::{Interrupter, Records as Table, Session};
use comboi_project::{Columns, Place, Problem, Problems};
use serde_json::Value;
use tracing::debug;

use crate::Error;
use crate::compile::{
    self, Compiled, Condition, Draft, Field, Layout, Sources, compile_comparison, conditions, draft,
};
use crate::expression::{self, Naming};
use crate::load::{Ids, Loaded, load};
use crate::model::{Adjustment, Model, Weights, log_shares};
use crate::pair::{Data, has_letters};
use crate::rules::{Compiling, Index, RulePairs};
use crate::settings::{Comparison, Rule, Settings};
use crate::train::Training;

/// A table of records.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// Parquet files that are alike. Rows are numbered over them in this order, from 0.
    pub files: &'a [PathBuf],
    /// The columns as people's SQL sees them; None: as the files have them.
    pub columns: Option<&'a Columns>,
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
        let table = Table::open(session, records.files, records.columns, &settings.place)?;
        if table.row_count() >= u64::from(u32::MAX) {
            return Err(Error::TooManyRecords {
                rows: table.row_count(),
            });
        }
        let mut opening = Opening {
            session,
            table: &table,
            problems: Vec::new(),
            sources: Sources::default(),
            layout: Layout::default(),
        };
        let parts = opening.parts(&settings, training)?;
        let Opening {
            sources, layout, ..
        } = opening;
        let mut parts = parts;
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
        let loaded = load(&table, &sources, &layout, &lettered, &parts.ids, threads)?;
        let mut rank_of = vec![0; loaded.row_of.len()];
        for (rank, row) in (0_u32..).zip(&loaded.row_of) {
            rank_of[*row as usize] = rank;
        }
        parts.count_frequencies(&loaded);
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
        rules.iter().map(|it| self.index_one(it)).collect()
    }

    pub(crate) fn index_one<'a>(&self, rule: &'a Compiling) -> Result<Index<'a>, Error> {
        rule.index(
            &self.table,
            &self.loaded,
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

/// What settings become.
struct Parts {
    ids: Ids,
    comparisons: Vec<Comparing>,
    /// For each comparison and level, the source and field whose values are counted.
    counted: Vec<Vec<Option<(usize, u32)>>>,
    rules: Vec<Compiling>,
    deterministic: Vec<Compiling>,
    em: Vec<Compiling>,
}

impl Parts {
    fn compiled_mut(&mut self) -> impl Iterator<Item = &mut Compiled> {
        let comparisons = self
            .comparisons
            .iter_mut()
            .filter_map(|it| match &mut it.way {
                ComparingWay::Native(compiled) => Some(compiled),
                ComparingWay::Sql { .. } => None,
            });
        let rules = self.rules.iter_mut().chain(&mut self.deterministic);
        let rules = rules.chain(&mut self.em);
        comparisons.chain(rules.filter_map(Compiling::compiled_mut))
    }

    fn count_frequencies(&mut self, loaded: &Loaded) {
        let mut known: Vec<(u32, Arc<Vec<f64>>)> = Vec::new();
        for (comparison, counted) in self.comparisons.iter_mut().zip(&self.counted) {
            let shares = |it: &Option<(usize, u32)>| {
                let (source, at) = (*it)?;
                if let Some(found) = known.iter().find(|it| it.0 == at) {
                    return Some(found.clone());
                }
                let logs = Arc::new(log_shares(&loaded.data, at, loaded.code_ends[source]));
                known.push((at, Arc::clone(&logs)));
                Some((at, logs))
            };
            comparison.frequencies = counted.iter().map(shares).collect();
        }
    }
}

struct Opening<'a> {
    session: &'a Session,
    table: &'a Table,
    problems: Vec<Problem>,
    sources: Sources,
    layout: Layout,
}

impl Opening<'_> {
    fn parts(&mut self, settings: &Settings, training: Option<&Training>) -> Result<Parts, Error> {
        let ids = self.id_column(settings);
        if settings.rules.is_empty() {
            self.problems.push(
                Problem::at(
                    &settings.place,
                    "there is no blocking rule, so no pair would be looked at",
                )
                .hint("such as `l.surname = r.surname`; or keys under `dedupe`"),
            );
        }
        let levels = self.level_conditions(settings)?;
        let rules = self.rule_conditions(&settings.rules)?;
        let none = Vec::new();
        let deterministic_rules = training.map_or(&none, |it| &it.deterministic_rules);
        let deterministic = self.rule_conditions(deterministic_rules)?;
        let em_rules = training.map_or(&none, |it| &it.em_rules);
        let em = self.rule_conditions(em_rules)?;
        let exact: Vec<Vec<Option<Vec<String>>>> = levels
            .iter()
            .map(|it| it.iter().map(exact_columns).collect())
            .collect();
        let counted = self.counted_columns(settings, &exact);
        self.fail_if_any()?;
        let drafts: Vec<Vec<Draft>> = levels
            .iter()
            .map(|levels| levels.iter().map(|it| self.level_draft(it)).collect())
            .collect();
        let mut draft_rules = |conditions: &[Condition]| -> Vec<Draft> {
            conditions
                .iter()
                .map(|it| Compiling::draft(it, &mut self.sources))
                .collect()
        };
        let (of_rules, of_deterministic, of_em) = (
            draft_rules(&rules),
            draft_rules(&deterministic),
            draft_rules(&em),
        );
        self.sources.resolve(self.session, self.table)?;
        self.check_types(settings, &levels, &drafts);
        self.fail_if_any()?;
        let mut comparisons = Vec::new();
        for ((comparison, levels), (drafts, exact)) in settings
            .comparisons
            .iter()
            .zip(&levels)
            .zip(drafts.iter().zip(&exact))
        {
            comparisons.push(self.comparison(comparison, levels, drafts, exact)?);
        }
        let rules = self.compile_rules(&settings.rules, &rules, &of_rules)?;
        let deterministic =
            self.compile_rules(deterministic_rules, &deterministic, &of_deterministic)?;
        let em = self.compile_rules(em_rules, &em, &of_em)?;
        let counted = counted
            .into_iter()
            .map(|levels| {
                levels
                    .into_iter()
                    .map(|it| it.map(|source| (source, self.layout.at(source, Field::Code))))
                    .collect()
            })
            .collect();
        self.id_types(&ids);
        self.fail_if_any()?;
        let class = self.sources.class(ids).unwrap_or(compile::Class::Other);
        Ok(Parts {
            ids: Ids::new(
                settings.unique_id.clone(),
                self.sources.sql[ids].clone(),
                class,
            ),
            comparisons,
            counted,
            rules,
            deterministic,
            em,
        })
    }

    fn fail_if_any(&mut self) -> Result<(), Error> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut problems = std::mem::take(&mut self.problems);
        problems.sort();
        problems.dedup();
        Err(Problems(problems).into())
    }

    /// The name of a column as the records have it.
    fn column(&mut self, name: &str, what: &str, place: &Place) -> Option<String> {
        let columns = &self.table.columns().0;
        let found = columns
            .iter()
            .find(|it| it.name.to_lowercase() == name.to_lowercase());
        if found.is_none() {
            let known: Vec<String> = columns.iter().map(|it| it.name.clone()).collect();
            self.problems.push(
                Problem::at(
                    place,
                    format!("the records have no column `{name}`, {what}"),
                )
                .maybe_hint(expression::like_column(name, &known)),
            );
        }
        found.map(|it| it.name.clone())
    }

    fn id_column(&mut self, settings: &Settings) -> usize {
        let what = "which should tell them apart";
        let name = self.column(&settings.unique_id, what, &settings.place);
        let name = name.unwrap_or_else(|| settings.unique_id.clone());
        self.sources
            .add(expression::column(std::iter::once(name.as_str())))
    }

    fn id_types(&mut self, ids: &usize) {
        if let Err(message) = self.sources.class(*ids) {
            let message = message.to_owned();
            self.problems.push(Problem::at(&Place::file(""), message));
        }
    }

    fn level_conditions(
        &mut self,
        settings: &Settings,
    ) -> Result<Vec<Vec<Option<Condition>>>, Error> {
        let mut out = Vec::new();
        if settings.comparisons.is_empty() && !settings.rules.is_empty() {
            debug!("there is no comparison: records are the same if a rule says so");
        }
        for comparison in &settings.comparisons {
            let asked: Vec<_> = comparison
                .levels
                .iter()
                .filter(|it| !it.is_else())
                .map(|it| (it.sql.as_str(), &it.place, Naming::Suffix))
                .collect();
            let before = self.problems.len();
            let mut found = conditions(
                self.session,
                self.table.columns(),
                &asked,
                &mut self.problems,
            )?
            .into_iter();
            let levels: Vec<Option<Condition>> = comparison
                .levels
                .iter()
                .map(|it| {
                    if it.is_else() {
                        None
                    } else {
                        found.next().flatten()
                    }
                })
                .collect();
            let ends = comparison.levels.last().is_some_and(|last| {
                let constant = levels
                    .last()
                    .and_then(Option::as_ref)
                    .is_some_and(|it| it.columns.is_empty());
                last.is_else() || constant
            });
            if !ends && self.problems.len() == before {
                let message = format!(
                    "the last level of comparison `{}` is not `ELSE`: pairs that no level holds for would be lost",
                    comparison.name
                );
                self.problems
                    .push(Problem::at(&comparison.place, message).hint("add a level `ELSE`"));
            }
            out.push(levels);
        }
        Ok(out)
    }

    fn rule_conditions(&mut self, rules: &[Rule]) -> Result<Vec<Condition>, Error> {
        for rule in rules {
            for list in &rule.arrays_to_explode {
                self.column(list, "which is to be exploded", &rule.place);
            }
        }
        let asked: Vec<_> = rules
            .iter()
            .map(|it| (it.sql.as_str(), &it.place, Naming::Prefix))
            .collect();
        let found = conditions(
            self.session,
            self.table.columns(),
            &asked,
            &mut self.problems,
        )?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The columns whose values are counted, for each level.
    fn counted_columns(
        &mut self,
        settings: &Settings,
        exact: &[Vec<Option<Vec<String>>>],
    ) -> Vec<Vec<Option<usize>>> {
        let mut out = Vec::new();
        for (comparison, exact) in settings.comparisons.iter().zip(exact) {
            let mut levels = Vec::new();
            for level in &comparison.levels {
                let frequency = level.term_frequency.as_ref();
                let frequency =
                    frequency.filter(|it| it.weight != 0.0 && !level.is_null && !level.is_else());
                let column = frequency.and_then(|it| {
                    let found = self.column(&it.column, "whose values are to be counted", &level.place)?;
                    let equal = exact.iter().flatten().any(|columns| matches!(columns.as_slice(), [one] if one.to_lowercase() == found.to_lowercase()));
                    if !equal && !it.own_u {
                        let message = format!("no level of comparison `{}` is for equal values of `{}`, which frequencies could be held against", comparison.name, it.column);
                        self.problems.push(Problem::at(&level.place, message).hint("`disable_tf_exact_match_detection: true` takes the level's own u"));
                    }
                    Some(found)
                });
                levels.push(column.map(|it| {
                    let source = self
                        .sources
                        .add(expression::column(std::iter::once(it.as_str())));
                    self.sources.code(source);
                    source
                }));
            }
            out.push(levels);
        }
        out
    }

    fn level_draft(&mut self, condition: &Option<Condition>) -> Draft {
        match condition {
            Some(it) => draft(&it.tree, it.naming, &mut self.sources),
            None => Draft::All(Vec::new()),
        }
    }

    /// What DuckDB finds wrong with an expression over one record.
    fn check_types(
        &mut self,
        settings: &Settings,
        levels: &[Vec<Option<Condition>>],
        drafts: &[Vec<Draft>],
    ) {
        let _ = (levels, drafts);
        for id in 0..self.sources.sql.len() {
            if let Err(message) = self.sources.class(id) {
                let message = format!("`{}` can't be computed: {message}", self.sources.sql[id]);
                self.problems.push(Problem::at(&settings.place, message));
            }
        }
    }

    fn comparison(
        &mut self,
        comparison: &Comparison,
        levels: &[Option<Condition>],
        drafts: &[Draft],
        exact: &[Option<Vec<String>>],
    ) -> Result<Comparing, Error> {
        let gammas: Vec<i8> = (0..levels.len()).map(|it| comparison.gamma(it)).collect();
        let way = match compile_comparison(drafts, &self.sources, &mut self.layout) {
            Ok(compiled) => ComparingWay::Native(compiled),
            Err(reason) => ComparingWay::Sql {
                cases: self.cases(levels, &gammas)?,
                reason,
            },
        };
        let mut columns: Vec<String> = Vec::new();
        for column in levels.iter().flatten().flat_map(|it| &it.columns) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        let exact = exact.iter().enumerate();
        Ok(Comparing {
            way,
            gammas,
            columns,
            exact: exact
                .filter_map(|(at, it)| Some((at, it.clone()?)))
                .collect(),
            frequencies: Vec::new(),
        })
    }

    /// The levels, for DuckDB to find the first that holds.
    fn cases(
        &self,
        levels: &[Option<Condition>],
        gammas: &[i8],
    ) -> Result<Vec<(Option<String>, i8)>, Error> {
        let trees: Vec<Value> = levels
            .iter()
            .flatten()
            .map(|it| expression::prefixed(&it.tree, it.naming))
            .collect();
        let mut printed = comboi_engine::print_expressions(self.session, &trees)?.into_iter();
        let cases = levels.iter().zip(gammas);
        Ok(cases
            .map(|(level, gamma)| (level.as_ref().and_then(|_| printed.next()), *gamma))
            .collect())
    }

    fn compile_rules(
        &mut self,
        rules: &[Rule],
        conditions: &[Condition],
        drafts: &[Draft],
    ) -> Result<Vec<Compiling>, Error> {
        let each = rules.iter().zip(conditions).zip(drafts);
        each.map(|((rule, condition), draft)| {
            Compiling::new(
                rule,
                condition,
                draft,
                self.session,
                &self.sources,
                &mut self.layout,
            )
        })
        .collect()
    }
}

/// The columns of a level that is for equal values of columns and nothing else.
fn exact_columns(condition: &Option<Condition>) -> Option<Vec<String>> {
    fn collect(tree: &Value, naming: Naming, out: &mut Vec<String>) -> bool {
        match expression::text(tree, "type") {
            "CONJUNCTION_AND" => expression::children(tree)
                .iter()
                .all(|it| collect(it, naming, out)),
            "COMPARE_EQUAL" => {
                let side = |key: &str| {
                    let names = expression::names(tree.get(key)?)?;
                    expression::side_of(&names, naming)
                };
                match (side("left"), side("right")) {
                    (Some((a, left)), Some((b, right)))
                        if a != b && left == right && left.len() == 1 =>
                    {
                        out.extend(left);
                        true
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
    let condition = condition.as_ref()?;
    let mut columns = Vec::new();
    collect(&condition.tree, condition.naming, &mut columns).then_some(columns)
}
