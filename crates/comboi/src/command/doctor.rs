//! `comboi doctor`: everything that a project needs to run here, or a deployed app to run there, one by one.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use comboi_azure::{Connection, TaskQueue};
use comboi_lake::Lake;
use comboi_plan::{Plan, Selection};
use comboi_project::{Project, Source, Stage};
use comboi_run::{Clock, LedgerError, RunStatus};
use comboi_sources::database;
use serde::Serialize;

use super::going::{self, Unnamed};
use crate::cli::{Global, Output};
use crate::cloud::Cloud;
use crate::exit::{Exit, told};
use crate::wiring;

/// What one check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    /// It may be right, but somebody should know.
    Doubtful,
    Bad,
}

#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    of: String,
    verdict: Verdict,
    /// What was found, and what to do about it.
    told: String,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, of: impl Into<String>, found: Result<String, String>) {
        let (verdict, told) = match found {
            Ok(told) => (Verdict::Good, told),
            Err(told) => (Verdict::Bad, told),
        };
        self.0.push(Finding {
            of: of.into(),
            verdict,
            told,
        });
    }

    fn doubt(&mut self, of: impl Into<String>, told: impl Into<String>) {
        self.0.push(Finding {
            of: of.into(),
            verdict: Verdict::Doubtful,
            told: told.into(),
        });
    }
}

pub(crate) fn doctor(global: &Global, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut findings = Findings::default();
    match wiring::project(global) {
        Ok(project) => {
            let count = project.dataset_ids().len();
            let told_of = format!("{} datasets in `{}`", count, project.config_path.display());
            let sql = super::hold_sql(&project).map(|()| told_of);
            findings.add("configuration", sql.map_err(|e| told(&e)));
            look(&Arc::new(project), &mut findings)?;
        }
        Err(e) => findings.add("configuration", Err(told(&e))),
    }
    tell(&findings.0, output, out)?;
    let bad = findings.0.iter().any(|it| it.verdict == Verdict::Bad);
    Ok(if bad { Exit::Failed } else { Exit::Good })
}

fn look(project: &Arc<Project>, findings: &mut Findings) -> anyhow::Result<()> {
    let cloud = Cloud::of(project);
    secrets(project, &cloud, findings);
    stages(project, &cloud, findings)?;
    runs(project, &cloud, findings)?;
    let answered = sources(project, &cloud, findings)?;
    tables(project, &cloud, &answered, findings)?;
    machine(project, findings);
    // Whoever has the host's file or a queue means to run it there.
    let host = project.folder.join("host.json");
    let queued = Connection::of(&wiring::setting).is_ok() || project.queue.is_some();
    if host.is_file() || queued {
        queue(project, &cloud, findings)?;
        schedule(findings);
        functions(&project.folder, findings);
    }
    Ok(())
}

fn secrets(project: &Project, cloud: &Cloud, findings: &mut Findings) {
    for name in project.secret_names() {
        let read = cloud.check(name);
        findings.add(
            format!("secret {name}"),
            read.map(|()| "the key vault gives it".to_owned())
                .map_err(|e| e.to_string()),
        );
    }
}

fn stages(project: &Project, cloud: &Cloud, findings: &mut Findings) -> anyhow::Result<()> {
    let lake = match cloud
        .places(project)
        .and_then(|places| places.lake(project))
    {
        Ok(lake) => lake,
        Err(e) => {
            findings.add("lake", Err(told(&e)));
            return Ok(());
        }
    };
    wiring::block_on(async {
        let mut usable = BTreeSet::new();
        for stage in Stage::ALL {
            let checked = lake.check(stage).await;
            if checked.is_ok() {
                usable.insert(stage);
            }
            let place = match &project.stages.get(stage).data_lake {
                Some(_) => "its container",
                None => "its folder",
            };
            findings.add(
                format!("stage {stage}"),
                checked
                    .map(|()| format!("{place} can be written, read and committed to"))
                    .map_err(|e| told(&e.into())),
            );
        }
        datasets(project, &lake, &usable, findings).await;
    })
}

/// Whether this program can read what is in the stages: it may be damaged, or a newer program's.
async fn datasets(
    project: &Project,
    lake: &Lake,
    stages: &BTreeSet<Stage>,
    findings: &mut Findings,
) {
    let mut count = 0_usize;
    let mut bad = false;
    for id in project.dataset_ids() {
        if !stages.contains(&id.stage()) {
            continue;
        }
        let table = lake.table(&id);
        let looked = async {
            match table.snapshot().await? {
                Some(snapshot) => Ok((1, table.flaws(&snapshot).await?)),
                None => Ok((0, Vec::new())),
            }
        };
        let flaws = match looked.await {
            Ok((there, flaws)) => {
                count += there;
                flaws
            }
            Err(e) => vec![e],
        };
        for flaw in flaws {
            bad = true;
            findings.add(format!("dataset {id}"), Err(told(&flaw.into())));
        }
    }
    if stages.len() == Stage::ALL.len() {
        match Unnamed::all(project, lake).await {
            Ok(unnamed) => {
                if let Some(told) = going::told(&unnamed, project) {
                    findings.doubt("datasets", told);
                }
            }
            Err(e) => findings.add("datasets", Err(told(&e.into()))),
        }
    }
    if !bad && count > 0 {
        findings.add(
            "datasets",
            Ok(format!("{count} are in the lake and can be read")),
        );
    }
}

/// Whether the record of runs can be read. What is wrong with the storage was told with the stages.
fn runs(project: &Project, cloud: &Cloud, findings: &mut Findings) -> anyhow::Result<()> {
    let Ok(state) = wiring::state(project, cloud) else {
        return Ok(());
    };
    let now = Clock::system().now();
    let last = wiring::block_on(comboi_run::runs(&state, 10, now))?;
    for run in last.iter().flatten() {
        if run.status == RunStatus::Interrupted && run.ended_at.is_none() {
            let told = "nobody is at work on it, and its end was never written: the next run or `comboi repair` writes that it was interrupted; `comboi retry` does what it left undone";
            findings.doubt(format!("run {}", run.run), told);
        }
    }
    let found = match last {
        Ok(last) => match last.first() {
            Some(last) => Ok(format!(
                "they are kept in {}; the last one is run {}",
                state.location(),
                last.run
            )),
            None => Ok(format!(
                "they are kept in {}; there is none yet",
                state.location()
            )),
        },
        Err(LedgerError::State(_)) => return Ok(()),
        Err(e) => Err(told(&e.into())),
    };
    findings.add("runs", found);
    Ok(())
}

/// The names of those that are there and answer.
fn sources(
    project: &Project,
    cloud: &Cloud,
    findings: &mut Findings,
) -> anyhow::Result<BTreeSet<String>> {
    let databases = cloud.databases();
    let mut answered = BTreeSet::new();
    for source in &project.sources {
        let name = format!("source {}", source.name().value);
        if let Source::Files(files) = source {
            let path = files
                .path
                .as_ref()
                .map_or(Path::new(""), |path| &path.value);
            let folder = project.path(path);
            let there = folder.is_dir();
            answered.extend(there.then(|| files.name.value.to_string()));
            let told = folder.display();
            findings.add(
                name,
                if there {
                    Ok(format!("`{told}` is there"))
                } else {
                    Err(format!("`{told}` is not there; make it, or correct `path`"))
                },
            );
            continue;
        }
        let opened = databases.open(source);
        let asked = match opened {
            Ok((found, _)) => wiring::block_on(database::ask(found.as_ref()))?,
            Err(e) => Err(e),
        };
        match asked {
            Ok(answer) => {
                answered.insert(source.name().value.to_string());
                findings.add(
                    &name,
                    Ok(format!(
                        "{}, database {}, login {}",
                        answer.version, answer.database, answer.login
                    )),
                );
                if !answer.sees_transactions {
                    findings.doubt(name, "the login may not see other people's transactions, so rows that are committed late are found by `lookback` only");
                }
            }
            Err(e) => findings.add(name, Err(told(&e.into()))),
        }
    }
    Ok(answered)
}

/// What a run would warn of in the tables of sources that answer. What is wrong with the lake was told with the stages.
fn tables(
    project: &Arc<Project>,
    cloud: &Cloud,
    answered: &BTreeSet<String>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let Ok(lake) = cloud.places(project).and_then(|it| it.lake(project)) else {
        return Ok(());
    };
    let databases = cloud.databases();
    let plan = Plan::of(project, &Selection::parse("bronze", None, None)?)?;
    for task in plan.tasks {
        let source = project.source(&task.dataset);
        if source.is_none_or(|source| !answered.contains(source.name().value.as_str())) {
            continue;
        }
        let one = Plan {
            pipeline: plan.pipeline.clone(),
            tasks: vec![task],
        };
        let observed = comboi_run::observe(project, &databases, &lake, &one);
        let Ok(observed) = wiring::block_on(observed)? else {
            continue;
        };
        for (id, found) in observed.tables {
            let name = format!("table {id}");
            for warning in found.warnings {
                findings.doubt(&name, warning);
            }
            if let Some(failed) = found.failed {
                findings.add(name, Err(failed));
            }
        }
    }
    Ok(())
}

fn machine(project: &Project, findings: &mut Findings) {
    const LITTLE: u64 = 400 << 20;
    let limits = wiring::limits(project);
    let memory = format!(
        "{} for DuckDB, {} threads",
        crate::text::bytes(limits.memory_bytes),
        limits.threads
    );
    if limits.memory_bytes < LITTLE {
        findings.doubt(
            "memory",
            format!(
                "{memory}; with less than {} large datasets spill often",
                crate::text::bytes(LITTLE)
            ),
        );
    } else {
        findings.add("memory", Ok(memory));
    }
    let scratch = wiring::try_scratch(project);
    findings.add(
        "scratch",
        scratch
            .map(|folder| format!("`{}` can be written", folder.display()))
            .map_err(|e| told(&e)),
    );
}

fn queue(project: &Project, cloud: &Cloud, findings: &mut Findings) -> anyhow::Result<()> {
    let queue = match cloud.queue(project) {
        Ok(queue) => queue,
        Err(e) => {
            findings.add("queue", Err(told(&e)));
            return Ok(());
        }
    };
    let there = wiring::block_on(async {
        let there = queue.check().await;
        if let (Ok(()), Ok((name, count @ 1..))) = (&there, queue.poison().await) {
            findings.doubt("poison", crate::serve::poison_told(&name, count));
        }
        there
    })?;
    let found = there.map(|()| format!("{queue} is there"));
    findings.add("queue", found.map_err(|e| told(&e.into())));
    if let Some(why) = cloud.unheard(&queue) {
        findings.add("queue", Err(why));
    }
    others(project, cloud, &queue, findings)
}

/// Who else has runs in this lake. What keeps us from looking was told with the stages.
fn others(
    project: &Project,
    cloud: &Cloud,
    queue: &TaskQueue,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let Ok(state) = wiring::state(project, cloud) else {
        return Ok(());
    };
    let own = queue.to_string();
    wiring::block_on(async {
        if let Ok(Some(other)) = comboi_run::other_app(&state, &own).await {
            findings.doubt("runs", other.to_string());
        }
    })
}

fn schedule(findings: &mut Findings) {
    const NAME: &str = "COMBOI_TIMER_SCHEDULE";
    match wiring::setting(NAME) {
        Some(text) if [5, 6].contains(&text.split_whitespace().count()) => findings.add("timer", Ok(format!("`{text}`"))),
        Some(text) => findings.add("timer", Err(format!("`{NAME}` is `{text}`, which is no schedule; write six fields, such as `0 0 * * * *` for every hour"))),
        None => findings.doubt("timer", format!("`{NAME}` is not set here; the app needs it, such as `0 0 * * * *` for every hour")),
    }
}

/// What the host would make of the files.
fn functions(folder: &Path, findings: &mut Findings) {
    let path = folder.join("host.json");
    let Ok(text) = std::fs::read(&path) else {
        return findings.doubt(
            "host.json",
            "it is not in the project's folder; `scripts/package` puts it there",
        );
    };
    let host: serde_json::Value = match serde_json::from_slice(&text) {
        Ok(host) => host,
        Err(e) => return findings.add("host.json", Err(format!("it is no JSON: {e}"))),
    };
    let mut wrong = Vec::new();
    if host["customHandler"]["description"]["defaultExecutablePath"]
        .as_str()
        .is_none()
    {
        wrong.push("`customHandler.description.defaultExecutablePath` is missing, so the host starts nothing");
    }
    if !host["extensionBundle"]["version"]
        .as_str()
        .unwrap_or_default()
        .starts_with("[4.")
    {
        wrong.push("`extensionBundle` is missing or not `[4.*, 5.0.0)`, so the host does not listen to queues");
    }
    let queues = &host["extensions"]["queues"];
    if queues["messageEncoding"]
        .as_str()
        .is_some_and(|it| it != "base64")
    {
        wrong.push("`extensions.queues.messageEncoding` has to be `base64`, as comboi sends");
    }
    findings.add(
        "host.json",
        if wrong.is_empty() {
            Ok("the handler, the bundle and the encoding are as they should be".to_owned())
        } else {
            Err(wrong.join("; "))
        },
    );
    let names = ["driver", "executor", "poison"];
    let here: BTreeSet<&str> = names
        .into_iter()
        .filter(|name| folder.join(name).join("function.json").is_file())
        .collect();
    let nested = names.iter().any(|name| {
        folder
            .join("functions")
            .join(name)
            .join("function.json")
            .is_file()
    });
    findings.add("functions", match (here.len(), nested) {
        (3, _) => Ok("driver, executor and poison are where the host looks".to_owned()),
        (_, true) => Err("they are below `functions/`, where the host does not look; they have to be beside host.json, as `scripts/package` lays them out".to_owned()),
        _ => Err("`driver/function.json`, `executor/function.json` and `poison/function.json` have to be beside host.json".to_owned()),
    });
}

fn tell(findings: &[Finding], output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    if output == Output::Json {
        return super::json(out, &findings);
    }
    let paint = wiring::paint(&std::io::stdout());
    let width = findings.iter().map(|it| it.of.len()).max().unwrap_or(0);
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Good => paint.verdict(true, "good    "),
            Verdict::Doubtful => "doubtful".to_owned(),
            Verdict::Bad => paint.verdict(false, "bad     "),
        };
        let told = finding
            .told
            .replace('\n', &format!("\n{}", " ".repeat(width + 12)));
        writeln!(out, "{mark}  {:width$}  {told}", finding.of)?;
    }
    let count = |verdict| {
        let of_verdict = findings.iter().filter(|it| it.verdict == verdict);
        of_verdict.count() as u64
    };
    let things = |count| crate::text::counted(count, "thing");
    let are = |count| if count == 1 { "is" } else { "are" };
    match (count(Verdict::Bad), count(Verdict::Doubtful)) {
        (0, 0) => writeln!(
            out,
            "Everything that could be looked at is as it should be."
        )?,
        (0, doubtful) => writeln!(
            out,
            "Nothing is bad; {} {} doubtful.",
            things(doubtful),
            are(doubtful)
        )?,
        (bad, 0) => writeln!(out, "{} {} bad.", things(bad), are(bad))?,
        (bad, doubtful) => writeln!(
            out,
            "{} {} bad, and {doubtful} {} doubtful.",
            things(bad),
            are(bad),
            are(doubtful)
        )?,
    }
    Ok(())
}
