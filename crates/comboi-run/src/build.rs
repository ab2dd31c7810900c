//! Building a dataset: transform, check, publish.
//!
//! The query runs over pinned versions into a staged file; rows about the same thing become one, where that is asked for;
//! the contract is held to what is left; then it becomes what readers see in one commit. Nothing that fails before the commit can be seen in
//! the lake: rows that were set aside are put into the quarantine first, and the commit says which version of it is the dataset's.

mod hold;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use comboi_engine::{
    Around, Built, Deduped, Given, Input, Limits, Linked, Session, SqlFile, Verdict,
    quarantine_columns,
};
use comboi_lake::{Change, Latest, Operation, Remove, Snapshot, Table};
use comboi_project::{
    Columns, Contract, Dataset, DatasetId, Deduplication, Located, PipelineName, Project,
    QualityRule, SqlType,
};
use serde::{Deserialize, Serialize};

use crate::dedupe::{Before, DEDUPE, with_added_columns};
use crate::event::Phase;
use crate::inputs::local_files;
use crate::ledger::Order;
use crate::link::{Learn, Link, LinkReport};
use crate::promises::{self, PROMISES};
use crate::quarantine::QUARANTINE;
use crate::retention;
use crate::runner::Runner;
use crate::task::{Done, Scratch, TaskError, with_session};
use crate::writer::{self, Standing};
use hold::{Fetched, Held, Hold};

/// What shaped a built dataset. Kept in its commit, under this property, so that an unchanged one is not built again.
pub(crate) const BUILT_FROM: &str = "built_from";

/// How often a commit is tried when others commit to the same dataset first.
const COMMIT_TRIES: u32 = 5;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BuiltFrom {
    /// Of query, contract and the names of the inputs.
    digest: String,
    inputs: BTreeMap<DatasetId, u64>,
    /// Which runs wrote these versions, as far as that is noted: versions are counted anew where a table was lost or brought back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    written_by: BTreeMap<DatasetId, String>,
    /// The version of DuckDB.
    engine: String,
    /// Whether the query asks for the time or for chance, so that the same inputs give something else tomorrow.
    uses_the_clock: bool,
}

/// Builds a dataset from these versions of its inputs.
pub(crate) async fn build(
    runner: &Runner,
    order: &Order,
    id: &DatasetId,
    inputs: &BTreeMap<DatasetId, Option<u64>>,
    limits: &Limits,
) -> Result<Done, TaskError> {
    let dataset = runner
        .project
        .dataset(id)
        .ok_or_else(|| TaskError::Defect(format!("`{id}` is planned but not in the project")))?;
    let task = Build {
        runner,
        order,
        dataset,
        table: runner.lake.table(id),
        limits,
        inputs: present(id, inputs)?,
    };
    for _ in 0..COMMIT_TRIES {
        match task.once().await {
            Err(TaskError::Lake(comboi_lake::Error::Overtaken(_))) => {}
            done => return done.map_err(|e| e.of_later_run(id)),
        }
    }
    Err(TaskError::Crowded)
}

impl BuiltFrom {
    /// What a version was built of. What another comboi wrote there may not be understood.
    fn of(properties: &BTreeMap<String, String>) -> Option<Self> {
        serde_json::from_str(properties.get(BUILT_FROM)?).ok()
    }
}

/// Why a dataset is built from these versions of its inputs; `None` when the version that readers see was made of
/// the same things, by a query that asks neither for the time nor for chance.
pub(crate) fn why_build(
    project: &Project,
    id: &DatasetId,
    inputs: &BTreeMap<DatasetId, Option<u64>>,
    latest: Option<&Latest>,
) -> Option<String> {
    let Some(latest) = latest else {
        return Some("it was never built".to_owned());
    };
    let before = BuiltFrom::of(&latest.properties);
    let Some(before) = before.filter(|_| latest.by_comboi) else {
        return Some("what it was built from is not known".to_owned());
    };
    if Some(&before.digest) != project.digest(id).as_ref() {
        return Some("its query, contract, inputs or deduplication were edited".to_owned());
    }
    if before.engine != comboi_engine::DUCKDB_VERSION {
        return Some("DuckDB is another version".to_owned());
    }
    if before.uses_the_clock {
        return Some("its query asks for the time or for chance".to_owned());
    }
    let changed = inputs
        .iter()
        .find(|(input, version)| before.inputs.get(*input).copied() != **version);
    changed.map(|(input, _)| format!("{input} has changed"))
}

/// Whether an input was committed by another run than the one whose version was read, or by a later one than what was built of it. If its version
/// has the number that was read, then that one was lost, or taken back with an older copy of the lake, and its number was given again.
pub(crate) fn made_anew(
    pipeline: &PipelineName,
    built: &Latest,
    id: &DatasetId,
    input: &Latest,
) -> bool {
    let run = |latest: &Latest| latest.last_commit(pipeline).map(|(run, _)| run);
    let noted = BuiltFrom::of(&built.properties);
    let read = noted.and_then(|noted| noted.written_by.get(id).cloned());
    let another = read.is_some() && read != writer::id_of(&input.properties);
    another || run(input) > run(built)
}

/// What was wrong with a file that was made again.
fn made_again(flaw: &comboi_lake::Error) -> Option<String> {
    match flaw {
        comboi_lake::Error::Damaged { file, what, .. } => Some(format!(
            "{what} (`{file}`): the dataset was built again from its inputs"
        )),
        _ => None,
    }
}

fn present(
    id: &DatasetId,
    inputs: &BTreeMap<DatasetId, Option<u64>>,
) -> Result<BTreeMap<DatasetId, u64>, TaskError> {
    let version = |(input, version): (&DatasetId, &Option<u64>)| match version {
        Some(version) => Ok((input.clone(), *version)),
        None => Err(TaskError::NoInput(input.clone(), id.name().to_owned())),
    };
    inputs.iter().map(version).collect()
}

/// An input on this machine's disk: its alias, columns and files.
type OnDisk = (String, Columns, Vec<PathBuf>);

struct Build<'a> {
    runner: &'a Runner,
    order: &'a Order,
    dataset: &'a Dataset,
    table: Table,
    limits: &'a Limits,
    inputs: BTreeMap<DatasetId, u64>,
}

/// A result that waits to be published.
struct Staged {
    /// What came of its deduplication, over what there was before.
    deduped: Option<(Before, Deduped)>,
    /// What came of comparing rows.
    linked: Option<Compared>,
    held: Held,
    uses_the_clock: bool,
    /// Which runs wrote the versions that were read.
    written_by: BTreeMap<DatasetId, String>,
    /// What people should know: rows past their age, columns on their way out that the query names.
    notes: Vec<String>,
}

/// What came of comparing rows.
struct Compared {
    report: LinkReport,
    /// As Splink saves one.
    model: String,
    notes: Vec<String>,
}

impl Compared {
    fn find(
        session: &Session,
        rows: &Input<'_>,
        how: &Deduplication,
    ) -> Result<(Linked, Self), TaskError> {
        let link = Link::open(session, rows, how, Learn::AsSaid)?;
        let (linked, report) = link.linked(how)?;
        let compared = Self {
            report,
            model: link.model(),
            notes: link.notes,
        };
        Ok((linked, compared))
    }
}

/// Makes rows about the same thing one.
fn one_of_each(
    session: &Session,
    rows: Input<'_>,
    how: &Deduplication,
    before: &Before,
    hold: &Hold,
    folder: &Path,
) -> Result<(Deduped, Option<Compared>), TaskError> {
    let (found, compared) = if how.compares() {
        let (found, compared) = Compared::find(session, &rows, how)?;
        (Some(found), Some(compared))
    } else {
        (None, None)
    };
    let job = comboi_engine::Dedupe {
        rows,
        how,
        linked: found.as_ref(),
        clusters: before.clusters(how, rows.columns),
        log: before.log(how, rows.columns),
        run: hold.run,
        now: hold.now,
        folder,
    };
    Ok((comboi_engine::dedupe(session, &job)?, compared))
}

impl Build<'_> {
    async fn once(&self) -> Result<Done, TaskError> {
        let base = self.table.snapshot().await?;
        // Files that are gone, or cut short, are made again: all that they were built of is still there.
        let lost = match &base {
            Some(base) => self.table.flaws(base).await?,
            None => Vec::new(),
        };
        if let Some(base) = &base
            && let Some(why) = self.why_skip(base, !lost.is_empty()).await?
        {
            let mut done = self.finished(base).await?;
            if let Some(built) = BuiltFrom::of(&base.properties) {
                done.inputs = built.inputs;
            }
            done.skipped = Some(why);
            done.verdicts = self.freshness_now(base).await?;
            done.late = is_late(&done.verdicts);
            return Ok(done);
        }
        promises::hold(self.dataset, base.as_ref().map(|base| &base.properties))?;
        let scratch = Scratch::make(self.runner, self.order.run, &self.dataset.id.to_string())?;
        let Staged {
            deduped,
            linked,
            held,
            uses_the_clock,
            written_by,
            notes: of_query,
        } = self.stage(&scratch, base.as_ref()).await?;
        let Held {
            built,
            verdicts,
            quarantined,
            dropped_rows,
        } = held;
        promises::hold_columns(self.dataset, &built.columns)?;
        if verdicts
            .iter()
            .any(|verdict| verdict.blocks() && !verdict.is_sla())
        {
            return Err(TaskError::Contract(verdicts));
        }
        self.runner.phase(&self.dataset.id, Phase::Publishing);
        let notes = [promises::notes(self.dataset, &built.columns), of_query].concat();
        let quarantined_rows = quarantined.as_ref().map_or(0, |(_, rows)| *rows);
        let noted = self
            .put_aside(&built.columns, quarantined.map(|(file, _)| file))
            .await?;
        let mut change = self.change(built, uses_the_clock, written_by);
        let noted = noted.map_or_else(String::new, |version| version.to_string());
        change.properties.insert(QUARANTINE.to_owned(), noted);
        let beside = self.keep_beside(deduped.as_ref(), &change).await?;
        change.properties.insert(DEDUPE.to_owned(), beside);
        let snapshot = self.table.commit(base.as_ref(), change).await?;
        let mut done = self.finished(&snapshot).await?;
        if let Some((_, deduped)) = deduped {
            done.notes = deduped.notes;
            done.dedupe = Some(deduped.report);
        }
        done.notes.extend(notes);
        if let Some(compared) = linked {
            done.notes.extend(compared.notes);
            done.notes.extend(self.save_model(&compared.model));
            done.linkage = serde_json::to_value(compared.report).ok();
        }
        done.rows = snapshot.row_count();
        done.quarantined_rows = quarantined_rows;
        if dropped_rows > 0 {
            let rows = comboi_project::text::counted(dropped_rows, "row");
            done.notes.push(format!("{rows} dropped by its contract"));
        }
        done.late = is_late(&verdicts);
        done.verdicts = verdicts;
        done.warnings.extend(lost.iter().filter_map(made_again));
        Ok(done)
    }

    /// Why there is nothing to build: judged by who built what is there, and of what. An error, when a later run changed it, which this one
    /// can't undo, and what is there is not what this run would build, or newer.
    async fn why_skip(&self, base: &Snapshot, lost: bool) -> Result<Option<String>, TaskError> {
        let pipeline = &self.runner.project.name;
        let last = base.last_commit(pipeline).map(|(run, _)| run);
        let standing = Standing::of(self.order, pipeline, &base.properties, last);
        match standing {
            Standing::Ours => return Ok(Some("this run had built it".to_owned())),
            Standing::Later(run) if self.is_covered(base) => {
                return Ok(Some(format!("run {run}, which began later, has built it")));
            }
            Standing::Later(_) | Standing::Fenced(_) | Standing::Free => {}
        }
        if !self.order.rebuild && !lost && self.is_unchanged(base).await? {
            return Ok(Some("nothing that shapes it has changed".to_owned()));
        }
        match standing {
            Standing::Later(run) | Standing::Fenced(run) => {
                Err(TaskError::LaterRun(self.dataset.id.clone(), run))
            }
            Standing::Ours | Standing::Free => Ok(None),
        }
    }

    /// Whether what is there was built by the same query and contract, of the versions that this run reads, or of later ones.
    fn is_covered(&self, base: &Snapshot) -> bool {
        BuiltFrom::of(&base.properties).is_some_and(|built| {
            let mut inputs = self.inputs.iter();
            Some(built.digest) == self.runner.project.digest(&self.dataset.id)
                && inputs.all(|(id, version)| built.inputs.get(id) >= Some(version))
        })
    }

    async fn is_unchanged(&self, base: &Snapshot) -> Result<bool, TaskError> {
        let project = &self.runner.project;
        let base = Latest::from(base.clone());
        let versions = self.inputs.iter();
        let versions = versions.map(|(id, version)| (id.clone(), Some(*version)));
        if why_build(project, &self.dataset.id, &versions.collect(), Some(&base)).is_some() {
            return Ok(false);
        }
        for (input, version) in &self.inputs {
            let newest = self.runner.lake.table(input).latest().await?;
            let read = newest.filter(|newest| newest.version == *version);
            if read.is_some_and(|read| made_anew(&project.name, &base, input, &read)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn from(&self, uses_the_clock: bool, written_by: BTreeMap<DatasetId, String>) -> BuiltFrom {
        BuiltFrom {
            digest: self
                .runner
                .project
                .digest(&self.dataset.id)
                .unwrap_or_default(),
            inputs: self.inputs.clone(),
            written_by,
            engine: comboi_engine::DUCKDB_VERSION.to_owned(),
            uses_the_clock,
        }
    }

    /// Writes the model where people want it; a note, when that does not work: what was found with it is published all the same.
    fn save_model(&self, model: &str) -> Option<String> {
        let how = self.dataset.dedupe.as_ref()?;
        let path = how.how.save_model.as_ref()?;
        let saved = crate::link::save(model, &self.runner.project.path(&path.value));
        let error = saved.err()?;
        Some(format!(
            "the model could not be saved to {}: {error}",
            path.display()
        ))
    }

    /// Commits what a deduplication keeps beside the dataset; what the dataset has to note of it.
    async fn keep_beside(
        &self,
        deduped: Option<&(Before, Deduped)>,
        change: &Change,
    ) -> Result<String, TaskError> {
        let (Some((before, deduped)), Some(how)) = (deduped, &self.dataset.dedupe) else {
            return Ok(String::new());
        };
        let id = &self.dataset.id;
        let noted = before.commit(self.runner, how, id, deduped, change).await?;
        Ok(serde_json::to_string(&noted).expect("names and numbers always become JSON"))
    }

    /// Puts rows into the dataset's quarantine, in the place of those that are there: a dataset is built as a whole, and so is its
    /// quarantine. Answers the version that goes with the dataset; `None` when there never was a bad row.
    async fn put_aside(
        &self,
        columns: &Columns,
        file: Option<PathBuf>,
    ) -> Result<Option<u64>, TaskError> {
        let table = self.runner.lake.quarantine(&self.dataset.id);
        let newest = table.snapshot().await?;
        match (&file, &newest) {
            (None, None) => return Ok(None),
            (None, Some(newest)) if newest.files.is_empty() => return Ok(Some(newest.version)),
            _ => {}
        }
        let pipeline = &self.runner.project.name;
        // What a dead attempt of this run had put there goes with the rest.
        let change = Change {
            pipeline: pipeline.clone(),
            run: self.order.run,
            chunk: writer::next_chunk(newest.as_ref(), pipeline, self.order.run),
            operation: Operation::Replace,
            columns: quarantine_columns(columns),
            add: file.into_iter().collect(),
            remove: Remove::All,
            properties: BTreeMap::new(),
            at: self.runner.clock.now(),
        };
        let committed = table.commit_only(newest.as_ref(), change).await?;
        Ok(Some(committed.version))
    }

    /// The datasets that rules name, at the versions that this run reads.
    async fn fetch_others(&self, scratch: &Scratch) -> Result<Vec<Fetched>, TaskError> {
        let mut fetched = Vec::new();
        for (i, other) in self.dataset.held_against.iter().enumerate() {
            let table = self.runner.lake.table(&other.dataset);
            let snapshot = table.snapshot_at(self.inputs[&other.dataset]).await?;
            let folder = scratch.path().join(format!("other-{i}"));
            fetched.push(Fetched {
                name: other.name.clone(),
                files: local_files(&table, &snapshot, &folder).await?,
                columns: snapshot.columns,
            });
        }
        Ok(fetched)
    }

    /// How many rows the last versions had, the newest first: as many as any rule asks for.
    async fn earlier_rows(
        &self,
        base: Option<&Snapshot>,
        contracts: &[Arc<Contract>],
    ) -> Result<Vec<u64>, TaskError> {
        let needed = Hold::versions_needed(contracts);
        let Some(base) = base.filter(|_| needed > 0) else {
            return Ok(Vec::new());
        };
        let mut rows = vec![base.row_count()];
        if needed > 1 {
            // Between two builds there may be notes and restorations.
            let history = self.table.history(needed.saturating_mul(4)).await?;
            let built = history
                .into_iter()
                .filter(|version| version.operation == Operation::Replace.as_str())
                .skip(1);
            rows.extend(built.map(|version| version.rows_added));
            rows.truncate(needed);
        }
        Ok(rows)
    }

    /// Runs the query into a file, makes rows about the same thing one, and holds the rest to the contract.
    async fn stage(&self, scratch: &Scratch, base: Option<&Snapshot>) -> Result<Staged, TaskError> {
        let (inputs, written_by) = self.fetch(scratch).await?;
        let before = match &self.dataset.dedupe {
            Some(how) => {
                let (runner, id) = (self.runner, &self.dataset.id);
                Some(Before::fetch(runner, how, base, id, scratch.path()).await?)
            }
            None => None,
        };
        let contracts: Vec<Arc<Contract>> = self
            .dataset
            .contracts
            .iter()
            .map(|named| Arc::clone(&named.contract))
            .collect();
        let mut hold = Hold {
            dataset: self.dataset.id.clone(),
            others: self.fetch_others(scratch).await?,
            earlier_rows: self.earlier_rows(base, &contracts).await?,
            contracts,
            run: self.order.run,
            now: self.runner.clock.now(),
        };
        self.runner.phase(&self.dataset.id, Phase::Building);
        let (runner, dataset) = (self.runner.clone(), self.dataset.clone());
        let folder = scratch.path().to_owned();
        let to = folder.join("staged.parquet");
        let (databases, run_at) = (self.runner.databases.clone(), self.order.begun_at);
        with_session(self.runner, self.limits, scratch.path(), move |session| {
            let inputs: Vec<Input<'_>> = inputs
                .iter()
                .map(|(alias, columns, files)| Input {
                    alias,
                    columns,
                    files,
                })
                .collect();
            let sql = SqlFile {
                path: &dataset.sql.path,
                text: &dataset.sql.text,
            };
            let uses_the_clock = comboi_engine::uses_the_clock(session, &sql)?;
            let key = match &runner.project.privacy {
                Some(privacy) if comboi_engine::needs_key(session, &sql)?.is_some() => {
                    Some(databases.reveal(&privacy.key)?)
                }
                _ => None,
            };
            session.give(Given { run_at, key });
            let wanted = wanted(&dataset);
            let limits = retention::Limits::new(runner.project.kept_for(&dataset.id), run_at);
            let handed_on = match (&dataset.dedupe, &limits) {
                (Some(_), None) => comboi_engine::handed_on(session, &sql, &inputs, &wanted)?,
                _ => None,
            };
            let mut notes = Vec::new();
            let build = || -> Result<Built, TaskError> {
                let built = comboi_engine::build(session, &sql, &inputs, Some(&wanted), &to);
                let built = built.map_err(|error| {
                    let datasets = dataset.inputs.iter().map(|it| &it.dataset);
                    let inputs: Vec<_> = datasets.zip(inputs.iter().copied()).collect();
                    comboi_engine::with_untyped(error, &sql, &inputs)
                })?;
                let Some(limits) = limits else {
                    return Ok(built);
                };
                let (held, note) = limits.hold_built(session, built, &folder)?;
                notes.extend(note);
                Ok(held)
            };
            let (mut deduped, mut linked) = (None, None);
            let built = match (&dataset.dedupe, before) {
                (Some(how), Some(before)) => {
                    let staged;
                    let rows = if let Some(input) = handed_on {
                        input
                    } else {
                        staged = build()?;
                        staged.input("rows")
                    };
                    runner.phase(&dataset.id, Phase::Deduplicating);
                    let done = one_of_each(session, rows, how, &before, &hold, &folder);
                    // What is wrong with an input's files is told of the input, as `build` does.
                    let (done, compared) = done.map_err(|e| {
                        let damage =
                            handed_on.and_then(|it| comboi_engine::unreadable(session, &it));
                        damage.map_or(e, Into::into)
                    })?;
                    let built = done.built.clone();
                    (deduped, linked) = (Some((before, done)), compared);
                    built
                }
                _ => build()?,
            };
            if let Some(how) = &dataset.dedupe {
                hold.contracts = hold
                    .contracts
                    .iter()
                    .map(|contract| Arc::new(with_added_columns(contract, how, &built.columns)))
                    .collect();
            }
            if !hold.contracts.is_empty() {
                runner.phase(&dataset.id, Phase::Checking);
            }
            let held = hold.to(session, built, &folder)?;
            notes.extend(reads_deprecated(&runner.project, &dataset, session, &sql)?);
            Ok(Staged {
                deduped,
                linked,
                held,
                uses_the_clock,
                written_by,
                notes,
            })
        })
        .await
    }

    /// The pinned versions of the inputs, on this machine's disk; and which runs wrote them.
    async fn fetch(
        &self,
        scratch: &Scratch,
    ) -> Result<(Vec<OnDisk>, BTreeMap<DatasetId, String>), TaskError> {
        let (mut fetched, mut written_by) = (Vec::new(), BTreeMap::new());
        for input in &self.dataset.inputs {
            let table = self.runner.lake.table(&input.dataset);
            let snapshot = table.snapshot_at(self.inputs[&input.dataset]).await?;
            let folder = scratch.path().join(input.alias.as_str());
            let files = local_files(&table, &snapshot, &folder).await?;
            let writer = writer::id_of(&snapshot.properties);
            written_by.extend(writer.map(|id| (input.dataset.clone(), id)));
            fetched.push((input.alias.to_string(), snapshot.columns, files));
        }
        Ok((fetched, written_by))
    }

    fn change(
        &self,
        built: Built,
        uses_the_clock: bool,
        written_by: BTreeMap<DatasetId, String>,
    ) -> Change {
        let from = serde_json::to_string(&self.from(uses_the_clock, written_by))
            .expect("names and numbers always become JSON");
        let mut properties = writer::note(&self.runner.project.name, self.order);
        properties.extend([
            (BUILT_FROM.to_owned(), from),
            (PROMISES.to_owned(), promises::promises_of(self.dataset)),
        ]);
        Change {
            pipeline: self.runner.project.name.clone(),
            run: self.order.run,
            chunk: 0,
            operation: Operation::Replace,
            columns: built.columns,
            add: vec![built.file],
            remove: Remove::All,
            properties,
            at: self.runner.clock.now(),
        }
    }

    /// What follows a commit and may be repeated: the single file at the path that people know.
    async fn finished(&self, snapshot: &Snapshot) -> Result<Done, TaskError> {
        let published = self.table.publish(snapshot).await?;
        Ok(Done {
            version: Some(snapshot.version),
            inputs: self.inputs.clone(),
            total_rows: Some(snapshot.row_count()),
            published: published.map(|published| shown(self.runner, &published.location)),
            ..Done::default()
        })
    }

    /// Whether a dataset that was not built again has become older than its SLA allows.
    async fn freshness_now(&self, base: &Snapshot) -> Result<Vec<Verdict>, TaskError> {
        let named = self.dataset.contracts.iter();
        let contracts: Vec<Contract> = named
            .filter_map(|named| only_freshness(&named.contract))
            .collect();
        if contracts.is_empty() {
            return Ok(Vec::new());
        }
        let scratch = Scratch::make(self.runner, self.order.run, &self.dataset.id.to_string())?;
        let files = self.table.local_files(base, scratch.path()).await?;
        let (dataset, columns, now) = (
            self.dataset.clone(),
            base.columns.clone(),
            self.runner.clock.now(),
        );
        with_session(self.runner, self.limits, scratch.path(), move |session| {
            let data = Input {
                alias: dataset.id.name(),
                columns: &columns,
                files: &files,
            };
            let mut verdicts = Vec::new();
            for contract in &contracts {
                let around = Around::at(now);
                verdicts.extend(comboi_engine::check(session, contract, &data, &around)?);
            }
            verdicts.retain(Verdict::is_sla);
            Ok(verdicts)
        })
        .await
    }
}

/// Columns of its inputs that are on their way out, and that its query names.
fn reads_deprecated(
    project: &Project,
    dataset: &Dataset,
    session: &Session,
    sql: &SqlFile<'_>,
) -> Result<Vec<String>, TaskError> {
    let inputs = dataset.inputs.iter().filter_map(|input| {
        let contracts = &project.dataset(&input.dataset)?.contracts;
        Some((input, contracts))
    });
    let mut notes = Vec::new();
    let named = comboi_engine::column_names(session, sql)?;
    for (input, contracts) in inputs {
        let columns = contracts
            .iter()
            .flat_map(|named| named.contract.deprecated_columns());
        for (name, said, instead) in columns {
            if named.contains(&name.to_lowercase()) {
                let column = format!("its query reads `{}.{name}`, which", input.alias);
                notes.push(promises::deprecated(&column, said, instead));
            }
        }
    }
    Ok(notes)
}

/// The types that the contracts promise.
pub(crate) fn wanted(dataset: &Dataset) -> Vec<(String, SqlType)> {
    let columns = dataset
        .contracts
        .iter()
        .flat_map(|named| &named.contract.schema.columns);
    columns
        .map(|column| (column.name.to_string(), column.sql_type.value.clone()))
        .collect()
}

/// A contract that promises nothing but how old its newest row may be; `None` when it does not promise that.
fn only_freshness(contract: &Contract) -> Option<Contract> {
    let column = contract.freshness_column()?.to_owned();
    let mut only = contract.clone();
    let sla = only.sla.as_mut()?;
    let freshness = sla.freshness.as_mut()?;
    freshness.value.column = Some(Located::new(column, freshness.place.clone()));
    sla.completeness = None;
    let schema = &mut only.schema.value;
    schema.columns.clear();
    schema.allow_extra_columns = true;
    (schema.exact, schema.ordered, schema.primary_key) = (false, false, None);
    schema.unique_keys.clear();
    schema.foreign_keys.clear();
    only.quality_rules
        .retain(|rule| matches!(rule.value, QualityRule::Freshness(_)));
    Some(only)
}

/// Freshness does not keep a dataset from its readers: what they have is older still.
fn is_late(verdicts: &[Verdict]) -> bool {
    verdicts
        .iter()
        .any(|verdict| verdict.blocks() && verdict.is_sla())
}

/// A path as a person would type it in the project's folder.
fn shown(runner: &Runner, location: &str) -> String {
    let path = Path::new(location);
    let folder = runner.project.folder.canonicalize();
    let below = folder
        .ok()
        .and_then(|folder| Some(path.strip_prefix(folder).ok()?.display().to_string()));
    below.unwrap_or_else(|| location.to_owned())
}
