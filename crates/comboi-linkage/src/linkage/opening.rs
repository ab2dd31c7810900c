//! From settings to what can be run: every mistake in them is told at once, and then each condition finds its way.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_engine::{Interrupter, Records as Table, Session};
use comboi_project::{Place, Problem, Problems};
use serde_json::Value;
use tracing::debug;

use super::{Comparing, ComparingWay};
use crate::Error;
use crate::compile::{
    self, Compiled, Condition, Draft, Field, Layout, Sources, compile_comparison, conditions, draft,
};
use crate::expression::{self, Naming};
use crate::load::{Ids, Loaded};
use crate::model::log_shares;
use crate::rules::Compiling;
use crate::settings::{Comparison, LinkType, Rule, Settings};
use crate::train::Training;
use crate::walk::on_threads;

/// What settings become.
pub(super) struct Parts {
    pub(super) ids: Ids,
    pub(super) comparisons: Vec<Comparing>,
    /// For each comparison and level, the source and field whose values are counted.
    counted: Vec<Vec<Option<(usize, u32)>>>,
    pub(super) rules: Vec<Compiling>,
    pub(super) deterministic: Vec<Compiling>,
    pub(super) em: Vec<Compiling>,
    /// What the records of one table have in common, where only those of different tables are linked.
    pub(super) same_source: Option<Compiling>,
}

impl Parts {
    pub(super) fn compiled_mut(&mut self) -> impl Iterator<Item = &mut Compiled> {
        let comparisons = self
            .comparisons
            .iter_mut()
            .filter_map(|it| match &mut it.way {
                ComparingWay::Native(compiled) => Some(compiled),
                ComparingWay::Sql { .. } => None,
            });
        let rules = self.rules.iter_mut().chain(&mut self.deterministic);
        let rules = rules.chain(&mut self.em).chain(&mut self.same_source);
        comparisons.chain(rules.filter_map(Compiling::compiled_mut))
    }

    pub(super) fn count_frequencies(
        &mut self,
        loaded: &Loaded,
        threads: usize,
        interrupter: &Interrupter,
    ) -> Result<(), Error> {
        let mut asked: Vec<(usize, u32)> =
            self.counted.iter().flatten().flatten().copied().collect();
        asked.sort_unstable_by_key(|it| it.1);
        asked.dedup_by_key(|it| it.1);
        let logs = on_threads(asked.len(), threads, interrupter, |i, _| {
            let (source, at) = asked[i];
            Arc::new(log_shares(&loaded.data, at, loaded.code_ends[source]))
        })?;
        let known: BTreeMap<u32, Arc<Vec<f64>>> = asked.iter().map(|it| it.1).zip(logs).collect();
        for (comparison, counted) in self.comparisons.iter_mut().zip(&self.counted) {
            let shares = |it: &Option<(usize, u32)>| {
                let at = (*it)?.1;
                Some((at, Arc::clone(known.get(&at)?)))
            };
            comparison.frequencies = counted.iter().map(shares).collect();
        }
        Ok(())
    }
}

/// Settings on their way.
pub(super) struct Opening<'a> {
    session: &'a Session,
    table: &'a Table,
    problems: Vec<Problem>,
    pub(super) sources: Sources,
    pub(super) layout: Layout,
}

impl<'a> Opening<'a> {
    pub(super) fn new(session: &'a Session, table: &'a Table) -> Self {
        Self {
            session,
            table,
            problems: Vec::new(),
            sources: Sources::default(),
            layout: Layout::default(),
        }
    }

    pub(super) fn parts(
        &mut self,
        settings: &Settings,
        training: Option<&Training>,
    ) -> Result<Parts, Error> {
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
        let source = self.source_column(settings);
        let rules = self.rule_conditions(&settings.rules, source.as_deref())?;
        let none = Vec::new();
        let deterministic_rules = training.map_or(&none, |it| &it.deterministic_rules);
        let deterministic = self.rule_conditions(deterministic_rules, source.as_deref())?;
        let em_rules = training.map_or(&none, |it| &it.em_rules);
        let em = self.rule_conditions(em_rules, source.as_deref())?;
        let same_source: Vec<Rule> = source
            .iter()
            .map(|it| Rule::new(same_source(it), &settings.place))
            .collect();
        let of_source = self.rule_conditions(&same_source, None)?;
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
        let (of_rules, of_deterministic, of_em, of_same_source) = (
            draft_rules(&rules),
            draft_rules(&deterministic),
            draft_rules(&em),
            draft_rules(&of_source),
        );
        self.sources.resolve(self.session, self.table)?;
        self.check_types(settings);
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
        let same_source = self.compile_rules(&same_source, &of_source, &of_same_source)?;
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
            same_source: same_source.into_iter().next(),
        })
    }

    /// The column that says which table a record is from, where only records of different tables are linked.
    fn source_column(&mut self, settings: &Settings) -> Option<String> {
        if settings.link != LinkType::Link {
            return None;
        }
        let (name, columns) = (&settings.source, self.table.columns());
        let found = columns.names().find(|it| it.eq_ignore_ascii_case(name));
        if found.is_none() {
            self.problems.push(
                Problem::at(
                    &settings.place,
                    format!("the records have no column `{name}`, which says for `link_only` what table each is from"),
                )
                .hint(format!("such as `SELECT 'crm' AS {name}, * FROM crm UNION ALL BY NAME SELECT 'shop' AS {name}, * FROM shop`")),
            );
        }
        found.map(str::to_owned)
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
            let found = conditions(
                self.session,
                self.table.columns(),
                &asked,
                &mut self.problems,
            )?;
            let written = asked.iter().map(|it| it.1);
            self.check_pairs(found.iter().zip(written))?;
            let mut found = found.into_iter();
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

    /// `source`: the column that has to be different in the two records, whatever else the rules ask.
    fn rule_conditions(
        &mut self,
        rules: &[Rule],
        source: Option<&str>,
    ) -> Result<Vec<Condition>, Error> {
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
        // Where a list is exploded, its elements stand in its place.
        let plain = found.iter().zip(rules);
        let plain = plain.filter(|(_, rule)| rule.arrays_to_explode.is_empty());
        self.check_pairs(plain.map(|(condition, rule)| (condition, &rule.place)))?;
        let mut found: Vec<Condition> = found.into_iter().flatten().collect();
        for condition in &mut found {
            if let Some(source) = source {
                condition.tree = expression::apart(&condition.tree, source);
                if !condition.columns.iter().any(|it| it == source) {
                    condition.columns.push(source.to_owned());
                }
            }
        }
        Ok(found)
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

    /// What DuckDB finds wrong with conditions over two records: a function that there is not, types that can't be compared.
    fn check_pairs<'c>(
        &mut self,
        conditions: impl Iterator<Item = (&'c Option<Condition>, &'c Place)>,
    ) -> Result<(), Error> {
        let conditions = conditions.filter_map(|(it, place)| Some((it.as_ref()?, place)));
        let (conditions, places): (Vec<&Condition>, Vec<&Place>) = conditions.unzip();
        let trees: Vec<Value> = conditions
            .iter()
            .map(|it| expression::prefixed(&it.tree, it.naming))
            .collect();
        let printed = comboi_engine::print_expressions(self.session, &trees)?;
        let types = self.table.pair_types(&printed)?;
        for (of, place) in types.into_iter().zip(places) {
            if let Err(message) = of {
                let message = format!("the condition can't be computed: {message}");
                self.problems.push(Problem::at(place, message));
            }
        }
        Ok(())
    }

    /// What DuckDB finds wrong with an expression over one record.
    fn check_types(&mut self, settings: &Settings) {
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

/// The rule that records of one table have in common.
fn same_source(column: &str) -> String {
    let quoted = column.replace('"', "\"\"");
    format!("l.\"{quoted}\" = r.\"{quoted}\"")
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
