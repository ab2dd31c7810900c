//! A project from its files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{NamedContract, Project, resolve};
use crate::config::{self, Config};
use crate::read::{Located, Read, Reader};
use crate::transformations::{Transformation, Transformations};
use crate::yaml::{self, Env, Node, Value};
use crate::{Contract, DatasetId, PipelineName, Place, Problem, Problems, Stage, contract};

impl Project {
    /// Reads a project from its configuration file, with every mistake in all of its files at once.
    ///
    /// The project's folder is the parent of `configs/` when the file lies in a folder of that name, else the file's
    /// own. `env` answers what an environment variable says. Nothing but files is looked at, and nothing is written.
    pub fn load(config: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let partial = PartialProject::load(config, env);
        match partial.project {
            Some(project) if partial.problems.is_empty() => Ok(project),
            _ => Err(Problems(partial.problems)),
        }
    }
}

/// What could be read of a project, and every mistake in it, so that its queries can be checked in spite of them.
#[derive(Debug)]
pub struct PartialProject {
    /// What could be read, without the contracts that have mistakes; `None` when that is too little.
    pub project: Option<Project>,
    /// Datasets some of whose inputs may be missing, because of a mistake.
    pub doubtful: BTreeSet<DatasetId>,
    /// The mistakes, by file and place.
    pub problems: Vec<Problem>,
    /// Queries and contracts that no dataset refers to.
    pub unused: Vec<Problem>,
    /// The files that it consists of, in the order of reading, those that are missing included; relative to its folder if they are below it.
    pub files: Vec<PathBuf>,
}

impl PartialProject {
    /// Reads a project as [`Project::load`] does.
    pub fn load(config: &Path, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut loader = Loader::new(folder_of(config), env);
        let mut project = loader.project(config);
        let Problems(problems) = sorted(loader.reader.problems.clone(), &loader.files_read);
        let unused = project.as_ref().map(unused).unwrap_or_default();
        let mut doubtful = std::mem::take(&mut loader.incomplete);
        let spoilt: BTreeSet<&Path> = problems.iter().map(|it| &*it.place.file).collect();
        let entry = |place: &Place| loader.entries.iter().rposition(|start| start <= place);
        for dataset in project.iter_mut().flat_map(|it| &mut it.datasets) {
            let whole = |named: &NamedContract| !spoilt.contains(&*loader.place(&named.path).file);
            dataset.contracts.retain(whole);
            let own = entry(&dataset.place);
            let mut there = problems.iter().map(|it| &it.place);
            if there.any(|place| place.file == dataset.place.file && entry(place) == own) {
                doubtful.insert(dataset.id.clone());
            }
        }
        Self {
            project,
            doubtful,
            problems,
            unused,
            files: loader.files_read,
        }
    }
}

/// Queries and contracts that no dataset refers to, and that no other file beside the configuration names.
fn unused(project: &Project) -> Vec<Problem> {
    let shown = |path: &Path| {
        path.strip_prefix(&project.folder)
            .map_or(path.to_owned(), Path::to_owned)
    };
    let datasets = || project.datasets.iter();
    let contracts = datasets().flat_map(|it| it.contracts.iter().map(|named| shown(&named.path)));
    let queries = datasets().map(|it| it.sql.path.clone());
    let used: BTreeSet<PathBuf> = queries.chain(contracts).collect();
    let beside = project.config_path.parent().unwrap_or(Path::new(""));
    let others = files_of(beside, &["yml", "yaml"]).unwrap_or_default();
    let others = others
        .iter()
        .filter(|file| !project.files_read.contains(file));
    let others: Vec<String> = others
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .collect();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let named = |stem: &str| {
        let mut words = others.iter().flat_map(|text| text.split(|c| !is_part(c)));
        words.any(|word| word == stem)
    };
    let stages = [Stage::Silver, Stage::Gold];
    let folders = stages.map(|stage| {
        (
            project.stages.transformations_path(stage),
            "query",
            ["sql", "sql"],
        )
    });
    let contracts = stages.map(|stage| {
        (
            project.stages.contracts_path(stage),
            "contract",
            ["yml", "yaml"],
        )
    });
    let folders: BTreeSet<_> = folders.into_iter().chain(contracts).collect();
    let mut unused = Vec::new();
    for (folder, what, extensions) in folders {
        for file in files_of(&project.folder.join(folder), &extensions).unwrap_or_default() {
            let shown = shown(&file);
            let stem = file
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            if used.contains(&shown) || stem.is_some_and(|stem| named(&stem)) {
                continue;
            }
            let hint = match what {
                "query" => "add a dataset of this name to the transformations, or remove the file",
                _ => {
                    "name it under `quality_checks` of a dataset, as `contract:<name>`, or remove the file"
                }
            };
            let problem = Problem::at(&Place::file(shown), format!("no dataset uses this {what}"));
            unused.push(problem.hint(hint));
        }
    }
    unused
}

impl NamedContract {
    /// Reads one contract, with every mistake in it at once.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Problems> {
        let mut loader = Loader::new(PathBuf::new(), env);
        match loader.contract(path) {
            Some(contract) if loader.reader.problems.is_empty() => Ok(contract),
            _ => Err(sorted(loader.reader.problems, &loader.files_read)),
        }
    }
}

/// More than anybody reads in one go.
const MAX_PROBLEMS: usize = 500;

/// By file in the order of reading, then by place; what was said twice is said once.
fn sorted(mut problems: Vec<Problem>, files: &[PathBuf]) -> Problems {
    let ranks: HashMap<&Path, usize> = files
        .iter()
        .enumerate()
        .map(|(i, file)| (file.as_path(), i))
        .collect();
    let rank = |problem: &Problem| {
        ranks
            .get(&*problem.place.file)
            .copied()
            .unwrap_or(files.len())
    };
    problems.sort_by_cached_key(|problem| (rank(problem), problem.clone()));
    problems.dedup();
    if let Some(more) = problems
        .len()
        .checked_sub(MAX_PROBLEMS)
        .filter(|more| *more > 0)
    {
        problems.truncate(MAX_PROBLEMS);
        let place = problems
            .last()
            .map_or_else(|| Place::file(""), |last| Place::file(&*last.place.file));
        problems.push(Problem::at(
            &place,
            format!("there are {more} more problems, here or in other files"),
        ));
    }
    Problems(problems)
}

/// The folder of the project that a configuration file belongs to: the parent of `configs/` when the file lies in a
/// folder of that name, else the file's own.
pub fn folder_of(config: &Path) -> PathBuf {
    let beside = config.parent().unwrap_or(Path::new(""));
    // `cd configs && comboi plan -c default.yml` names no folder, but lies in one.
    let named = match beside.as_os_str().is_empty() {
        true => std::path::absolute(config)
            .ok()
            .and_then(|path| path.parent().map(Path::to_owned)),
        false => Some(beside.to_owned()),
    };
    let in_configs =
        named.is_some_and(|folder| folder.file_name().is_some_and(|name| name == "configs"));
    let folder = match (in_configs, beside.parent()) {
        (true, Some(parent)) => parent.to_owned(),
        (true, None) => PathBuf::from(".."),
        (false, _) => beside.to_owned(),
    };
    if folder.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        folder
    }
}

pub(super) struct Loader<'a> {
    pub(super) folder: PathBuf,
    env: Env<'a>,
    pub(super) reader: Reader,
    /// As [`Place`]s name them.
    files_read: Vec<PathBuf>,
    transformations_path: Option<PathBuf>,
    /// Where the entries of the transformations begin, sorted.
    entries: Vec<Place>,
    /// Datasets whose inputs could not all be found.
    pub(super) incomplete: BTreeSet<DatasetId>,
}

/// Contracts by the folder they lie in and their name; None for one that has mistakes.
pub(super) type Contracts = BTreeMap<(PathBuf, String), Option<NamedContract>>;

impl<'a> Loader<'a> {
    fn new(folder: PathBuf, env: Env<'a>) -> Self {
        Self {
            folder,
            env,
            reader: Reader::default(),
            files_read: Vec::new(),
            transformations_path: None,
            entries: Vec::new(),
            incomplete: BTreeSet::new(),
        }
    }

    /// None: so much is wrong that there is no project to speak of; it has been reported.
    fn project(&mut self, path: &Path) -> Option<Project> {
        let node = self.node(path)?;
        yaml::report_shell_variables(&node, &mut self.reader.problems);
        let config = Config::read(&node, &mut self.reader)?;
        config::check(&config, &mut self.reader);
        let name = self.pipeline_name(&config, path);
        let transformations = self.transformations(&config, path);
        let contracts = self.contracts(&config);
        let datasets = resolve::datasets(self, &config, &transformations, &contracts);
        Some(Project {
            name: name?,
            folder: self.folder.clone(),
            config_path: path.to_owned(),
            sources: config.sources,
            stages: config.stages,
            datasets,
            monitoring: config.monitoring,
            engine: config.engine,
            key_vault: config.key_vault,
            privacy: config.privacy,
            transformations_path: self.transformations_path.clone(),
            queue: config.queue,
            files_read: self
                .files_read
                .iter()
                .map(|file| self.folder.join(file))
                .collect(),
        })
    }

    /// The file as a place names it: relative to the project's folder when it is below it.
    pub(super) fn place(&self, path: &Path) -> Place {
        Place::file(path.strip_prefix(&self.folder).unwrap_or(path))
    }

    /// What a YAML file says, its placeholders filled in.
    fn node(&mut self, path: &Path) -> Option<Node> {
        let place = self.place(path);
        let text = self.text(path)?;
        let mut node = yaml::parse(&place.file, &text, &mut self.reader.problems)?;
        yaml::fill_in(&mut node, self.env, &mut self.reader.problems);
        Some(node)
    }

    /// A file that the project names, whether it is there or not.
    pub(super) fn named(&mut self, path: &Path) -> Place {
        let place = self.place(path);
        self.files_read.push(place.file.to_path_buf());
        place
    }

    pub(super) fn text(&mut self, path: &Path) -> Option<String> {
        let place = self.named(path);
        match yaml::read_text(path, &place) {
            Ok(text) => Some(text),
            Err(problem) => self.reader.report(problem),
        }
    }

    fn pipeline_name(&mut self, config: &Config, path: &Path) -> Option<PipelineName> {
        if let Some(name) = &config.name {
            return Some(name.value.clone());
        }
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let name = stem.parse::<PipelineName>();
        let folded = name.or_else(|bad| bad.suggestion().unwrap_or_default().parse());
        folded.ok().or_else(|| {
            let problem = Problem::at(
                &self.place(path),
                format!("no name for the pipeline can be made from `{stem}`"),
            );
            self.reader.report(problem.hint("give it one with `name:`"))
        })
    }

    fn transformations(&mut self, config: &Config, path: &Path) -> Transformations {
        let file = match &config.transformations {
            Some(written) => {
                let file = self.folder.join(&written.value);
                if !file.exists() {
                    self.named(&file);
                    let message =
                        format!("there is no transformations file `{}`", written.display());
                    self.reader.problems.push(
                        Problem::at(&written.place, message)
                            .hint("paths are relative to the project's folder"),
                    );
                    return Transformations::default();
                }
                Some(file)
            }
            None => {
                let stem = path
                    .file_stem()
                    .map(|stem| stem.to_string_lossy())
                    .unwrap_or_default();
                let candidates = [
                    format!("{stem}-transformations.yml"),
                    format!("{stem}-transformations.yaml"),
                    "transformations.yml".to_owned(),
                    "transformations.yaml".to_owned(),
                ];
                candidates
                    .into_iter()
                    .map(|name| path.with_file_name(name))
                    .find(|file| file != path && file.exists())
            }
        };
        self.transformations_path.clone_from(&file);
        let Some(node) = file.and_then(|file| self.node(&file)) else {
            return Transformations::default();
        };
        let lists = ["silver", "gold"]
            .into_iter()
            .filter_map(|key| node.get(key));
        let entries = lists.flat_map(|list| match &list.value {
            Value::Sequence(entries) => entries.as_slice(),
            _ => &[],
        });
        self.entries = entries.map(|entry| entry.place.clone()).collect();
        self.entries.sort();
        Transformations::read(&node, &mut self.reader).unwrap_or_default()
    }

    /// Every contract of the project, used or not.
    fn contracts(&mut self, config: &Config) -> Contracts {
        let mut contracts = Contracts::new();
        for stage in [Stage::Silver, Stage::Gold] {
            let folder = config.stages.contracts_path(stage);
            if contracts.keys().any(|(known, _)| *known == folder) {
                continue;
            }
            for path in self.yaml_files(&self.folder.join(&folder)) {
                let stem = path
                    .file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned())
                    .unwrap_or_default();
                let contract = self.contract(&path);
                if contracts.insert((folder.clone(), stem), contract).is_some() {
                    self.reader.problems.push(
                        Problem::at(
                            &self.place(&path),
                            "there is a `.yml` and a `.yaml` of this contract",
                        )
                        .hint("keep one of them"),
                    );
                }
            }
        }
        contracts
    }

    fn contract(&mut self, path: &Path) -> Option<NamedContract> {
        let name = path.file_stem()?.to_string_lossy().into_owned();
        let node = self.node(path)?;
        // What could not be read in one contract excuses nothing in another file.
        let outer = std::mem::take(&mut self.reader.unread);
        let mut contract = Contract::read(&node, &mut self.reader);
        if let Some(contract) = &mut contract {
            contract.evolve();
        }
        if let Some(contract) = &contract {
            contract::check(contract, &mut self.reader);
        }
        self.reader.unread = outer;
        Some(NamedContract {
            name,
            path: path.to_owned(),
            contract: Arc::new(contract?),
            canonical: super::digest::canonical(&node).into(),
        })
    }

    /// The YAML files of a folder, by name. None when there is no such folder: whoever needs one of them says so.
    fn yaml_files(&mut self, folder: &Path) -> Vec<PathBuf> {
        files_of(folder, &["yml", "yaml"]).unwrap_or_else(|error| {
            let problem = format!("the folder can't be read: {error}");
            let place = self.place(folder);
            self.reader.problems.push(Problem::at(&place, problem));
            Vec::new()
        })
    }
}

/// The files of a folder with one of these extensions, by name; none when there is no such folder. Hidden files are left out.
fn files_of(folder: &Path, extensions: &[&str]) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let wanted = |path: &PathBuf| {
        let extension = path
            .extension()
            .and_then(|it| it.to_str())
            .unwrap_or_default();
        let name = path.file_name().map(|name| name.to_string_lossy());
        extensions.contains(&extension) && !name.is_some_and(|name| name.starts_with('.'))
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = paths.filter(wanted).collect();
    files.sort();
    Ok(files)
}

/// A transformation and the stage it builds for.
pub(super) fn listed(
    transformations: &Transformations,
) -> impl Iterator<Item = (Stage, &Transformation)> {
    let silver = transformations
        .silver
        .iter()
        .map(|one| (Stage::Silver, one));
    silver.chain(transformations.gold.iter().map(|one| (Stage::Gold, one)))
}

/// A path without `.` and `..`, so that two ways to write it are one.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if tidy.file_name().is_some() => {
                tidy.pop();
            }
            part => tidy.push(part),
        }
    }
    tidy
}

/// The name of a contract in a list of quality checks.
pub(super) fn contract_name(check: &Located<String>) -> Option<&str> {
    check
        .strip_prefix("contract:")
        .map(str::trim)
        .filter(|name| !name.is_empty())
}
