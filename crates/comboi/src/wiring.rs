//! Putting the parts together: the only place that reads the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use comboi_engine::Limits;
use comboi_lake::{Lake, State};
use comboi_project::{
    Companion, Contract, DatasetId, NamedContract, PartialProject, Place, Problem, Problems,
    Project, Stage,
};
use comboi_run::{Clock, Listener, Process, Runner, Stop, Work};
use comboi_sources::database::Databases;

use crate::cli::Global;
use crate::cloud::Cloud;
use crate::env_file;
use crate::exit::{Exit, Usage};
use crate::paint::Paint;
use crate::scratch;

/// The folder of the project in which comboi keeps the state of runs and files on their way into the lake.
const OWN_FOLDER: &str = ".comboi";

/// The project that the command line names.
pub(crate) fn project(global: &Global) -> anyhow::Result<Project> {
    let (config, env) = configuration(global)?;
    Ok(Project::load(&config, &env)?)
}

/// What can be read of the project that the command line names, with its mistakes.
pub(crate) fn partial_project(global: &Global) -> anyhow::Result<PartialProject> {
    match configuration(global) {
        Ok((config, env)) => Ok(PartialProject::load(&config, &env)),
        Err(e) => {
            let Problems(problems) = e.downcast::<Problems>()?;
            Ok(PartialProject {
                project: None,
                doubtful: BTreeSet::new(),
                problems,
                unused: Vec::new(),
                files: Vec::new(),
            })
        }
    }
}

/// The configuration file that the command line names, and the environment of its project.
fn configuration(
    global: &Global,
) -> anyhow::Result<(PathBuf, impl Fn(&str) -> Option<String> + use<>)> {
    let config = match &global.config {
        Some(config) => config.clone(),
        None => find_config()?,
    };
    let file = env_file(global, &comboi_project::folder_of(&config))?;
    drop(ENV_FILE.set(file.clone()));
    Ok((config, env(file)))
}

/// What the `.env` file of this process's project says, for whoever asks later.
static ENV_FILE: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// The environment of this process and its project.
pub(crate) fn environment() -> impl Fn(&str) -> Option<String> {
    env(ENV_FILE.get().cloned().unwrap_or_default())
}

/// A contract outside any project.
pub(crate) fn contract(path: &Path) -> anyhow::Result<Arc<Contract>> {
    Ok(NamedContract::load(path, &env(BTreeMap::new()))?.contract)
}

/// What the environment says, else what the file does.
fn env(file: BTreeMap<String, String>) -> impl Fn(&str) -> Option<String> + use<> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    move |name| std::env::var(name).ok().or_else(|| file.get(name).cloned())
}

fn find_config() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("the current folder could not be read")?;
    for folder in here.ancestors() {
        for name in ["configs/default.yml", "comboi.yml"] {
            let config = folder.join(name);
            if config.is_file() {
                // Paths in messages are then what the person would type.
                return Ok(if folder == here {
                    PathBuf::from(name)
                } else {
                    config
                });
            }
        }
    }
    let text = "there is no `configs/default.yml` or `comboi.yml` here or in a folder above; name a configuration with `--config`, or make a project with `comboi init`";
    Err(Usage(text.to_owned()).into())
}

/// What the project's `.env` file says.
fn env_file(global: &Global, folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let path = match &global.env_file {
        Some(path) => path.clone(),
        // A folder of this name is a Python environment.
        None if !folder.join(".env").is_file() => return Ok(BTreeMap::new()),
        None => match folder.join(".env") {
            path if folder == Path::new(".") => {
                path.file_name().map_or(path.clone(), PathBuf::from)
            }
            path => path,
        },
    };
    let mistake = |line: usize, message: String| {
        let mut place = Place::file(&path);
        place.line = u32::try_from(line).unwrap_or(u32::MAX);
        Problems(vec![Problem::at(&place, message)])
    };
    let bytes =
        read_env_file(&path).map_err(|e| mistake(0, format!("the file can't be read: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = e.as_bytes().iter().take(e.utf8_error().valid_up_to());
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        mistake(line, "the text is not UTF-8".to_owned())
    })?;
    // The line may hold a secret, so it is not quoted.
    Ok(env_file::parse(&text).map_err(|bad| {
        let Problems(mut problems) = mistake(bad.line, bad.why.to_owned());
        problems[0].hint =
            Some("write `NAME=value`, with the value in single quotes if it needs any".to_owned());
        Problems(problems)
    })?)
}

/// It may be a pipe, whose size nobody knows beforehand.
fn read_env_file(path: &Path) -> std::io::Result<Vec<u8>> {
    const MOST: u64 = 1024 * 1024;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MOST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(std::io::Error::other("it is larger than 1 MB"));
    }
    Ok(bytes)
}

/// Colours for a terminal, unless `NO_COLOR` is set or the terminal knows none.
pub(crate) fn paint(stream: &impl IsTerminal) -> Paint {
    let set = |name| env(BTreeMap::new())(name).unwrap_or_default();
    if stream.is_terminal() && set("NO_COLOR").is_empty() && set("TERM") != "dumb" {
        Paint::Colours
    } else {
        Paint::Plain
    }
}

/// The lake of a project.
pub(crate) fn lake(project: &Project) -> anyhow::Result<Lake> {
    Cloud::of(project).places(project)?.lake(project)
}

/// What opens the databases of sources.
pub(crate) fn databases(project: &Project) -> Databases {
    Cloud::of(project).databases()
}

/// What runs need. The state folder is made if it is not there.
pub(crate) fn runner(
    project: Project,
    jobs: Option<u16>,
    listener: Listener,
) -> anyhow::Result<Runner> {
    let cloud = Cloud::of(&project);
    runner_in(Arc::new(project), &cloud, jobs, listener)
}

/// The same with a cloud that is shared.
pub(crate) fn runner_in(
    project: Arc<Project>,
    cloud: &Cloud,
    jobs: Option<u16>,
    listener: Listener,
) -> anyhow::Result<Runner> {
    let own = project.folder.join(OWN_FOLDER);
    let places = cloud.places(&project)?;
    let state = places.state(&project, &own.join("runs"))?;
    tell_that_state_moved(&own.join("runs"), &state);
    let scratch = scratch_folder(&project)?;
    let limits = limits(&project);
    Ok(Runner {
        lake: places.lake(&project)?,
        databases: cloud.databases(),
        state,
        scratch,
        jobs: jobs.map_or_else(|| limits.threads.clamp(1, 4), usize::from),
        limits,
        process: Process::this(),
        clock: Clock::system(),
        stop: Stop::default(),
        listener,
        work: Work::default(),
        queue: None,
        project,
    })
}

/// The folder for files on their way into the lake of a project. It is made if it is not there.
fn scratch_folder(project: &Project) -> anyhow::Result<PathBuf> {
    let Some(folder) = own_scratch(project)? else {
        return scratch::private();
    };
    scratch::make_own(&folder)
        .with_context(|| format!("the folder `{}` could not be made", folder.display()))?;
    Ok(folder)
}

/// The same folder if it is one of the project; `None` for a private folder below the system's.
fn own_scratch(project: &Project) -> anyhow::Result<Option<PathBuf>> {
    let own = project.folder.join(OWN_FOLDER);
    let in_folders = Stage::ALL
        .into_iter()
        .any(|stage| project.stages.get(stage).data_lake.is_none());
    Ok(match &project.engine.temp_directory {
        // Not shared with other projects: what a killed run left behind there is swept away.
        Some(folder) => Some(project.path(&folder.value).join(own_name(&own)?)),
        // Beside the datasets, so that files can be linked.
        None if in_folders => Some(own.join("scratch")),
        // A project that was deployed may be read-only.
        None => None,
    })
}

/// Tries to write where files on their way into the lake are put, and answers in which folder that is. Leaves nothing there.
pub(crate) fn try_scratch(project: &Project) -> anyhow::Result<PathBuf> {
    let folder = own_scratch(project)?.unwrap_or_else(std::env::temp_dir);
    let there = folder.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new(".")).to_owned();
    tempfile::tempdir_in(&there).with_context(|| {
        format!(
            "nothing can be written into `{}`; `TMPDIR` or `engine.temp_directory` says where else",
            there.display()
        )
    })?;
    Ok(there)
}

/// Where the project's runs are written down.
pub(crate) fn state(project: &Project, cloud: &Cloud) -> anyhow::Result<State> {
    let earlier = project.folder.join(OWN_FOLDER).join("runs");
    cloud.places(project)?.state(project, &earlier)
}

/// Says once that the state of runs is no longer where an earlier comboi kept it.
fn tell_that_state_moved(folder: &Path, state: &State) {
    let told = folder.join("MOVED.txt");
    if state.earlier().is_none() || told.is_file() {
        return;
    }
    let text = format!(
        "the state of runs is now kept with the lake, in {}. What is in `{}` is read for its last run number, `comboi retry` and `comboi runs`; it can be deleted after the next good run",
        state.location(),
        folder.display()
    );
    drop(writeln!(std::io::stderr(), "note: {text}"));
    // Where that can't be written, it is said again.
    drop(std::fs::write(told, format!("{text}\n")));
}

/// A word that nobody else has.
pub(crate) fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The port that the Functions host wants to be answered on.
pub(crate) fn functions_port() -> anyhow::Result<u16> {
    const PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";
    let said = setting(PORT).ok_or_else(|| {
        Usage(format!(
            "`{PORT}` is not set; it is for the Azure Functions host to set, or say `--port`"
        ))
    })?;
    let port = said.parse().ok().filter(|port| *port > 0);
    let wrong = || Usage(format!("`{PORT}` is `{said}`, which is no port"));
    Ok(port.ok_or_else(wrong)?)
}

/// The folder that was deployed.
pub(crate) fn app_folder() -> PathBuf {
    setting("FUNCTIONS_APP_ROOT_PATH").map_or_else(PathBuf::new, PathBuf::from)
}

/// How long an invocation may work before what is left goes to another one: most of `functionTimeout` in host.json. `None`: for ever.
pub(crate) fn time_limit() -> Option<std::time::Duration> {
    /// What the host takes if nothing is said, on most plans.
    const DEFAULT: u64 = 30 * 60;
    if let Some(seconds) = setting("COMBOI_TIME_LIMIT").and_then(|text| text.parse().ok()) {
        return Some(std::time::Duration::from_secs(seconds));
    }
    let host = std::fs::read(app_folder().join("host.json")).unwrap_or_default();
    let host: serde_json::Value = serde_json::from_slice(&host).unwrap_or_default();
    let seconds = match host.get("functionTimeout").and_then(|it| it.as_str()) {
        Some("-1") => return None,
        Some(text) => {
            let parts = text.split(':').map(|part| part.parse::<u64>().ok());
            parts
                .collect::<Option<Vec<u64>>>()
                .and_then(|parts| match parts.as_slice() {
                    [hours, minutes, seconds] => Some(hours * 3600 + minutes * 60 + seconds),
                    _ => None,
                })
        }
        None => None,
    };
    let timeout = std::time::Duration::from_secs(seconds.unwrap_or(DEFAULT));
    Some(crate::serve::limit_of(timeout))
}

/// What the environment says.
pub(crate) fn setting(name: &str) -> Option<String> {
    env(BTreeMap::new())(name)
}

/// A name that no other project on this machine has: its path in one word.
fn own_name(own: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(own).context("the project's folder could not be found")?;
    Ok(path
        .to_string_lossy()
        .replace(std::path::MAIN_SEPARATOR, "-"))
}

/// The machine's memory and processors, unless the configuration says otherwise.
pub(crate) fn limits(project: &Project) -> Limits {
    let mut limits = Limits::of_machine();
    if let Some(memory) = &project.engine.memory_limit {
        limits = limits.within(memory.bytes());
    }
    if let Some(threads) = &project.engine.threads {
        limits.threads = usize::try_from(threads.value).unwrap_or(usize::MAX);
    }
    if let Some(most) = &project.engine.max_temp_size {
        limits.max_spill_bytes = Some(most.bytes());
    }
    limits
}

/// The dataset that a person named: in full, or by its last part where only one has it.
pub(crate) fn dataset(project: &Project, text: &str) -> anyhow::Result<DatasetId> {
    Ok(comboi_plan::find_dataset(project, text)?)
}

/// The same, or else a dataset that is in the lake only.
pub(crate) fn dataset_in_lake(
    project: &Project,
    lake: &Lake,
    text: &str,
) -> anyhow::Result<DatasetId> {
    let unknown = match dataset(project, text) {
        Ok(id) => return Ok(id),
        Err(unknown) => unknown,
    };
    // What keeps us from looking is told where the lake is needed.
    let others = block_on(comboi_run::not_in_project(lake, project))?.unwrap_or_default();
    let is_meant = |id: &&DatasetId| {
        let id = id.to_string();
        let end = id.strip_suffix(text);
        end.is_some_and(|start| start.is_empty() || start.ends_with('/'))
    };
    let meant: Vec<&DatasetId> = others.iter().filter(is_meant).collect();
    match meant.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(unknown),
        several => {
            let listed: Vec<String> = several.iter().map(|id| format!("`{id}`")).collect();
            Err(Usage(format!(
                "`{text}` may be {}: say which",
                listed.join(" or ")
            ))
            .into())
        }
    }
}

/// An asynchronous runtime for one command.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    Ok(runtime
        .context("the runtime could not be started")?
        .block_on(work))
}

/// A runner for commands that change the lake by hand and tell nobody of their steps.
pub(crate) fn quiet_runner(project: Project) -> anyhow::Result<Runner> {
    runner(project, None, Arc::new(|_| {}))
}

/// Asks a run to stop when the process is asked to, by Ctrl-C or by the signal that services are ended with; at the
/// second time the process ends at once, as it would without comboi's saying anything. The lake bears both.
pub(crate) async fn stop_when_asked(stop: Stop) {
    asked_to_stop().await;
    stop.request();
    let text = "stopping: what is being committed is brought to its end; Ctrl-C again ends at once";
    drop(writeln!(std::io::stderr(), "{text}"));
    asked_to_stop().await;
    #[expect(
        clippy::exit,
        reason = "somebody asked twice, and whatever is under way can be killed"
    )]
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Returns when the process is asked to stop.
pub(crate) async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    drop(interrupted.await);
}

/// A table of the lake that a person named: a dataset, its quarantine (`…__quarantine`), the files that it was read from (`…__files_read`), or a record of runs (`_comboi/tasks`).
pub(crate) fn table(
    project: &Project,
    lake: &Lake,
    text: &str,
) -> anyhow::Result<comboi_lake::Table> {
    match text {
        "_comboi/tasks" => Ok(lake.record("tasks")),
        "_comboi/verdicts" => Ok(lake.record("verdicts")),
        _ => {
            let id = |of: &str| dataset_in_lake(project, lake, of);
            let mut beside = Companion::ALL
                .into_iter()
                .filter_map(|which| Some((text.strip_suffix(which.suffix())?, which)));
            if let Some(of) = text.strip_suffix("__quarantine") {
                return Ok(lake.quarantine(&id(of)?));
            }
            if let Some((of, which)) = beside.next() {
                return Ok(lake.companion(&id(of)?, which));
            }
            match text.strip_suffix("__files_read").map(id) {
                Some(Ok(of)) => Ok(lake.files_read(&of)),
                _ => Ok(lake.table(&id(text)?)),
            }
        }
    }
}

/// A folder for one command's temporary files, gone when it is dropped. Made in the system's own place, because
/// commands that only read write nothing into a project.
pub(crate) fn private_scratch(project: &Project) -> anyhow::Result<tempfile::TempDir> {
    let within = match &project.engine.temp_directory {
        Some(folder) => project.path(&folder.value),
        None => std::env::temp_dir(),
    };
    scratch::temporary(&within, ".tmp").context(
        "a temporary folder could not be made; `TMPDIR` or `engine.temp_directory` says where",
    )
}

/// The same for commands that need no project.
pub(crate) fn scratch() -> anyhow::Result<tempfile::TempDir> {
    let made = scratch::temporary(&std::env::temp_dir(), ".tmp");
    made.context("a temporary folder could not be made; `TMPDIR` says where")
}
