//! Transformations with their inputs, queries and contracts found.

use std::collections::HashMap;
use std::path::PathBuf;

use super::load::{Contracts, Loader, contract_name, listed, tidy};
use super::{Dataset, Deduplication, HeldAgainst, Input, NamedContract, SqlText, cycle};
use crate::config::{Config, Source};
use crate::dedupe::{self, Dedupe, Model, Splink};
use crate::read::{Located, Read as _};
use crate::transformations::{InputRef, Transformation, Transformations};
use crate::yaml::{Node, Value};
use crate::{Alias, Companion, DatasetId, Place, Problem, Stage, suggest};

pub(super) fn datasets(
    loader: &mut Loader<'_>,
    config: &Config,
    transformations: &Transformations,
    contracts: &Contracts,
) -> Vec<Dataset> {
    let catalogue = Catalogue::of(config, transformations);
    catalogue.check(loader, config);
    let datasets: Vec<Dataset> = listed(transformations)
        .map(|(stage, transformation)| {
            let mut resolver = Resolver {
                loader,
                config,
                catalogue: &catalogue,
                contracts,
                stage,
                transformation,
            };
            resolver.dataset()
        })
        .collect();
    cycle::report(&datasets, &mut loader.reader);
    datasets
}

/// Every dataset there is, and where it was written.
struct Catalogue {
    entries: Vec<(DatasetId, Place)>,
    /// The same, by the last part of the name.
    by_name: HashMap<String, Vec<usize>>,
    /// The same, by stage and path below it without `.parquet`.
    by_path: HashMap<(Stage, String), Vec<usize>>,
}

impl Catalogue {
    fn of(config: &Config, transformations: &Transformations) -> Self {
        let tables = config.sources.iter().flat_map(|source: &Source| {
            let tables = source.table_names();
            tables.into_iter().map(|table| {
                (
                    DatasetId::Extracted(source.name().value.clone(), table.value.clone()),
                    table.place.clone(),
                )
            })
        });
        let built = listed(transformations).map(|(stage, one)| {
            (
                DatasetId::Built(stage, one.name.value.clone()),
                one.name.place.clone(),
            )
        });
        let entries: Vec<(DatasetId, Place)> = tables.chain(built).collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        let mut by_path: HashMap<(Stage, String), Vec<usize>> = HashMap::new();
        for (i, (id, _)) in entries.iter().enumerate() {
            by_name.entry(id.name().to_owned()).or_default().push(i);
            let path = config.stages.template(id.stage()).path(id);
            by_path
                .entry((id.stage(), below_stage(id.stage(), &path).to_owned()))
                .or_default()
                .push(i);
        }
        Self {
            entries,
            by_name,
            by_path,
        }
    }

    fn id(&self, at: usize) -> &DatasetId {
        &self
            .entries
            .get(at)
            .expect("the indexes are the entries' own")
            .0
    }

    /// Datasets of one name, and datasets that would lie at one path.
    fn check(&self, loader: &mut Loader<'_>, config: &Config) {
        let mut ids: HashMap<&DatasetId, &Place> = HashMap::new();
        let mut paths: HashMap<(PathBuf, String), (&DatasetId, &Place)> = HashMap::new();
        for (id, place) in &self.entries {
            let first = ids.insert(id, place);
            if let (Some(first), DatasetId::Built(..)) = (first, id) {
                let problem = Problem::at(place, format!("there are two datasets `{id}`"))
                    .hint(format!("the other one is at {first}"));
                loader.reader.problems.push(problem);
            }
            if id.name().ends_with("__quarantine") && id.stage() != Stage::Bronze {
                let problem = Problem::at(
                    place,
                    format!(
                        "`{}` is the name that the quarantine of another dataset may have",
                        id.name()
                    ),
                );
                loader
                    .reader
                    .problems
                    .push(problem.hint("choose a name that does not end in `__quarantine`"));
            }
            check_companion_name(loader, id, place);
            let template = config.stages.template(id.stage());
            if template.unfit_for(id.stage()).is_some() {
                continue; // That is reported with the template.
            }
            let path = template.path_below_stage(id);
            let root = tidy(&loader.folder.join(config.stages.local_path(id.stage())));
            let key = (root, path.trim_end_matches(".parquet").to_owned());
            if let Some((other, other_place)) = paths.insert(key, (id, place))
                && other != id
            {
                let message =
                    format!("`{id}` and `{other}` would both live at `{path}` of the same folder");
                let hint = format!(
                    "`{other}` is at {other_place}; give their stages different `local_path`s or templates"
                );
                loader
                    .reader
                    .problems
                    .push(Problem::at(place, message).hint(hint));
            }
        }
    }
}

/// What a deduplication keeps beside its dataset has the dataset's name with one of these behind it.
fn check_companion_name(loader: &mut Loader<'_>, id: &DatasetId, place: &Place) {
    let mut ends = Companion::ALL.into_iter().map(Companion::suffix);
    if id.stage() == Stage::Bronze {
        return;
    }
    if let Some(end) = ends.find(|end| id.name().ends_with(end)) {
        let message = format!(
            "`{}` is the name of what is kept beside a dataset that is deduplicated",
            id.name()
        );
        let hint = format!("choose a name that does not end in `{end}`");
        loader
            .reader
            .problems
            .push(Problem::at(place, message).hint(hint));
    }
}

/// A path as it is compared: without the stage in front and `.parquet` behind.
fn below_stage(stage: Stage, path: &str) -> &str {
    let path = path.trim_start_matches("./");
    let path = path
        .strip_prefix(stage.as_str())
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(path);
    path.strip_suffix(".parquet").unwrap_or(path)
}

struct Resolver<'a, 'l> {
    loader: &'a mut Loader<'l>,
    config: &'a Config,
    catalogue: &'a Catalogue,
    contracts: &'a Contracts,
    stage: Stage,
    transformation: &'a Transformation,
}

impl Resolver<'_, '_> {
    fn dataset(&mut self) -> Dataset {
        let name = &self.transformation.name;
        let inputs = self.inputs();
        if inputs.len() < self.transformation.inputs.len() {
            let id = DatasetId::Built(self.stage, name.value.clone());
            self.loader.incomplete.insert(id);
        }
        let contracts = self.contracts();
        let sql = self.sql();
        if sql.text.trim().is_empty() {
            let id = DatasetId::Built(self.stage, name.value.clone());
            self.loader.incomplete.insert(id);
        }
        let dedupe = self.dedupe(&contracts);
        let held_against = self.held_against(&contracts);
        Dataset {
            id: DatasetId::Built(self.stage, name.value.clone()),
            place: name.place.clone(),
            description: self.transformation.description.clone(),
            tags: self.transformation.tags.clone(),
            sql,
            inputs,
            contracts,
            dedupe,
            held_against,
        }
    }

    fn dedupe(&mut self, contracts: &[NamedContract]) -> Option<Deduplication> {
        let splink = self.transformation.splink.as_ref();
        let splink = splink.filter(|splink| splink.value.enabled);
        let (how, mut canonical) = match (&self.transformation.dedupe, splink) {
            (None, None) => return None,
            (Some(written), _) => (written.value.clone(), written.canonical.to_string()),
            (None, Some(splink)) => {
                let place = splink.value.place.clone();
                let empty = Node {
                    place: place.clone(),
                    value: Value::Mapping(Vec::new()),
                };
                let how = Dedupe::read(&empty, &mut self.loader.reader)?;
                (Located::new(how, place), String::new())
            }
        };
        let model = match splink {
            Some(splink) => {
                canonical.push_str(&splink.canonical);
                Some(self.model(&splink.value)?)
            }
            None => None,
        };
        if let Some(Err((_, text))) = model.as_ref().map(|model| model.settings.as_ref()) {
            canonical.push_str(text);
        }
        let contracts = contracts.iter().map(|named| &*named.contract);
        let unique_id = dedupe::check(&how, model.as_ref(), contracts, &mut self.loader.reader)?;
        Some(Deduplication {
            how: how.value,
            unique_id,
            model,
            place: how.place,
            canonical: canonical.into(),
        })
    }

    /// What `splink:` names.
    fn model(&mut self, splink: &Located<Splink>) -> Option<Model> {
        let settings = match (&splink.inline, &splink.file) {
            (Some(inline), _) => Ok(inline.clone()),
            (None, Some(written)) => {
                let path = self.loader.folder.join(&written.value);
                if !path.exists() {
                    self.loader.named(&path);
                    let message = format!("there is no model `{}`", written.display());
                    let hint = "paths are relative to the project's folder; `comboi linkage train` makes a model of `comparisons`";
                    self.report(&written.place, message, Some(hint.to_owned()));
                    return None;
                }
                let shown = self.loader.place(&path).file.to_path_buf();
                Err((shown, self.loader.text(&path)?))
            }
            (None, None) => {
                let hint = "name a file with Splink's settings, write them here, or use `dedupe:` with `keys` and `comparisons`";
                self.report(
                    &splink.place,
                    "`splink` has no settings",
                    Some(hint.to_owned()),
                );
                return None;
            }
        };
        Some(Model {
            settings,
            blocking_rule: splink.blocking_rule.clone(),
            place: splink.place.clone(),
        })
    }

    /// The datasets that rules name, but for the one whose rules they are.
    fn held_against(&mut self, contracts: &[NamedContract]) -> Vec<HeldAgainst> {
        let own = DatasetId::Built(self.stage, self.transformation.name.value.clone());
        let mut found: Vec<HeldAgainst> = Vec::new();
        for named in contracts
            .iter()
            .flat_map(|contract| contract.contract.other_datasets())
        {
            // A bare name that is the dataset's own means the dataset.
            if named.value == own.name() || found.iter().any(|known| known.name == named.value) {
                continue;
            }
            let Some(dataset) = self.named(&named) else {
                continue;
            };
            if dataset.stage() > self.stage {
                let message = format!(
                    "`{}` of {} can't be held against `{dataset}`, which is built after it",
                    own.name(),
                    self.stage
                );
                self.report(&named.place, message, None);
            } else {
                found.push(HeldAgainst {
                    name: named.value,
                    dataset,
                    place: named.place,
                });
            }
        }
        found
    }

    fn report(&mut self, place: &Place, message: impl Into<String>, hint: Option<String>) {
        self.loader
            .reader
            .problems
            .push(Problem::at(place, message).maybe_hint(hint));
    }

    fn inputs(&mut self) -> Vec<Input> {
        let name = &self.transformation.name;
        let mut inputs: Vec<Input> = Vec::new();
        for written in &self.transformation.inputs {
            let Some(input) = self.input(written) else {
                continue;
            };
            if let Some(first) = inputs.iter().find(|known| known.alias == input.alias) {
                let message = format!("`{}` has two inputs called `{}`", name.value, input.alias);
                let hint = format!(
                    "the other one is at {}; give one of them another `alias`",
                    first.place
                );
                self.report(&input.place, message, Some(hint));
            } else {
                inputs.push(input);
            }
        }
        inputs
    }

    fn input(&mut self, written: &Located<InputRef>) -> Option<Input> {
        let (alias, dataset, place) = match &written.value {
            InputRef::Path {
                alias,
                stage,
                source_path,
            } => (
                Some(alias),
                self.at_path(stage.value, source_path)?,
                &source_path.place,
            ),
            InputRef::Dataset { alias, dataset } => {
                (alias.as_ref(), self.named(dataset)?, &dataset.place)
            }
        };
        if dataset.stage() > self.stage {
            let message = format!(
                "`{}` of {} can't read `{dataset}`, which is built after it",
                self.transformation.name.value, self.stage
            );
            let hint = format!(
                "a dataset reads its own stage or an earlier one: move one of the two, or read another dataset than {dataset}"
            );
            self.report(place, message, Some(hint));
            return None;
        }
        let alias = match alias {
            Some(alias) => alias.value.clone(),
            None => dataset
                .name()
                .parse::<Alias>()
                .expect("names of datasets and aliases have the same form"),
        };
        Some(Input {
            alias,
            dataset,
            place: place.clone(),
        })
    }

    /// The dataset that lives at a path of a stage.
    fn at_path(&mut self, stage: Stage, written: &Located<String>) -> Option<DatasetId> {
        let wanted = below_stage(stage, written);
        let found = self.catalogue.by_path.get(&(stage, wanted.to_owned()));
        if let Some(at) = found.and_then(|found| found.first()) {
            return Some(self.catalogue.id(*at).clone());
        }
        let last = wanted.rsplit('/').next().unwrap_or(wanted);
        if !self.loader.reader.may_be_unread(last) {
            let template = self.config.stages.template(stage);
            let paths: Vec<String> = self
                .catalogue
                .entries
                .iter()
                .filter(|(id, _)| id.stage() == stage && self.loader.reader.may_suggest())
                .map(|(id, _)| template.path_below_stage(id))
                .collect();
            let hint = self
                .loader
                .reader
                .meant(written, paths.iter().map(String::as_str))
                .or_else(|| same_end(last, &paths))
                .unwrap_or_else(|| {
                    format!("datasets of {stage} live at `{template}` of their stage")
                });
            self.report(
                &written.place,
                format!("no dataset of {stage} lives at `{}`", written.value),
                Some(hint),
            );
        }
        None
    }

    /// The dataset that is meant by `orders`, `shop/orders`, `silver/orders` or `bronze/shop/orders`.
    fn named(&mut self, written: &Located<String>) -> Option<DatasetId> {
        let text = written.value.as_str();
        let parts: Vec<&str> = text.split('/').collect();
        let fits = |id: &DatasetId| match (parts.as_slice(), id) {
            ([name], id) => id.name() == *name,
            ([first, name], DatasetId::Built(stage, dataset)) => {
                stage.as_str() == *first && dataset.as_str() == *name
            }
            ([first, name], DatasetId::Extracted(source, table)) => {
                source.as_str() == *first && table.as_str() == *name
            }
            (["bronze", first, name], DatasetId::Extracted(source, table)) => {
                source.as_str() == *first && table.as_str() == *name
            }
            _ => false,
        };
        let last = parts.last().copied().unwrap_or_default();
        let own = DatasetId::Built(self.stage, self.transformation.name.value.clone());
        let same_name = self
            .catalogue
            .by_name
            .get(last)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut found: Vec<&DatasetId> = same_name
            .iter()
            .map(|at| self.catalogue.id(*at))
            .filter(|id| fits(id))
            .collect();
        found.dedup();
        if found.len() > 1 && parts.len() == 1 {
            // A bare name is not the reader's own, nor one that it may not read.
            found.retain(|id| **id != own && id.stage() <= self.stage);
        }
        match found.as_slice() {
            [one] => return Some((*one).clone()),
            [] if self.loader.reader.may_be_unread(last) => {}
            [] => {
                let names = self.reference_names();
                let hint = self
                    .loader
                    .reader
                    .meant(text, names.iter().map(String::as_str))
                    .or_else(|| same_end(last, &names));
                self.report(
                    &written.place,
                    format!("there is no dataset `{text}`"),
                    hint,
                );
            }
            several => {
                let names: Vec<String> = several.iter().map(|id| format!("`{id}`")).collect();
                self.report(
                    &written.place,
                    format!("`{text}` may be {}", names.join(" or ")),
                    Some("write which one".to_owned()),
                );
            }
        }
        None
    }

    /// All the names by which datasets may be meant.
    fn reference_names(&self) -> Vec<String> {
        if !self.loader.reader.may_suggest() {
            return Vec::new();
        }
        let ids = self.catalogue.entries.iter().map(|(id, _)| id);
        ids.flat_map(|id| {
            let full = id.to_string();
            let short = full.strip_prefix("bronze/").map(str::to_owned);
            [Some(id.name().to_owned()), short, Some(full)]
                .into_iter()
                .flatten()
        })
        .collect()
    }

    fn contracts(&mut self) -> Vec<NamedContract> {
        let mut found: Vec<NamedContract> = Vec::new();
        for check in &self.transformation.quality_checks {
            let Some(name) = contract_name(check) else {
                let hint = "write `contract:<name of a file in the contracts' folder>`; rules stand in contracts".to_owned();
                self.report(
                    &check.place,
                    format!("`{}` is not a contract", check.value),
                    Some(hint),
                );
                continue;
            };
            if found.iter().any(|known| known.name == name) {
                self.report(
                    &check.place,
                    format!("contract `{name}` is here twice"),
                    Some("keep one of them".to_owned()),
                );
                continue;
            }
            found.extend(self.contract(name, check));
        }
        found
    }

    fn contract(&mut self, name: &str, check: &Located<String>) -> Option<NamedContract> {
        let folder = self.config.stages.contracts_path(self.stage);
        let name = name
            .strip_suffix(".yml")
            .or_else(|| name.strip_suffix(".yaml"))
            .unwrap_or(name);
        let Some(contract) = self.contracts.get(&(folder.clone(), name.to_owned())) else {
            let names = self
                .contracts
                .keys()
                .filter(|(known, _)| *known == folder)
                .map(|(_, name)| name.as_str());
            let hint = self.loader.reader.meant(name, names);
            let file = self
                .loader
                .place(&self.loader.folder.join(&folder).join(format!("{name}.yml")));
            self.report(
                &check.place,
                format!("there is no contract `{name}`"),
                Some(hint.unwrap_or_else(|| format!("create {file}"))),
            );
            return None;
        };
        // Its own mistakes have been reported.
        let contract = contract.as_ref()?;
        let promised = &contract.contract;
        let own_name = &self.transformation.name.value;
        if promised.dataset.value != *own_name {
            let message = format!(
                "contract `{name}` is one of `{}`, but `{own_name}` uses it",
                promised.dataset.value
            );
            self.report(
                &promised.dataset.place,
                message,
                Some(format!("it is used at {}", check.place)),
            );
        }
        if let Some(stage) = &promised.stage
            && stage.value != self.stage
        {
            let message = format!(
                "contract `{name}` is for {}, but `{own_name}` is in {}",
                stage.value, self.stage
            );
            self.report(
                &stage.place,
                message,
                Some(format!("it is used at {}", check.place)),
            );
        }
        Some(contract.clone())
    }

    fn sql(&mut self) -> SqlText {
        let name = &self.transformation.name;
        let folder = self
            .loader
            .folder
            .join(self.config.stages.transformations_path(self.stage));
        let path = folder.join(format!("{}.sql", name.value));
        let shown = self.loader.place(&path).file.to_path_buf();
        let mut text = String::new();
        if path.exists() {
            let read = self.loader.text(&path);
            let empty = read.as_ref().is_some_and(|text| text.trim().is_empty());
            text = read.unwrap_or_default();
            if empty {
                self.report(
                    &Place::file(shown.clone()),
                    "the file is empty",
                    Some("write one SELECT".to_owned()),
                );
            }
        } else {
            let hint = match (
                self.similar_sql(&folder),
                self.transformation.inputs.as_slice(),
            ) {
                (Some(similar), _) => {
                    format!("did you mean `{similar}`? A dataset's SQL file has its name")
                }
                (None, _) => format!("create {} with one SELECT over its inputs", shown.display()),
            };
            self.report(
                &name.place,
                format!("there is no SQL file for `{}`", name.value),
                Some(hint),
            );
        }
        SqlText { path: shown, text }
    }

    fn similar_sql(&self, folder: &std::path::Path) -> Option<String> {
        if !self.loader.reader.may_suggest() {
            return None;
        }
        let entries = std::fs::read_dir(folder).ok()?;
        let mut names: Vec<String> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".sql"))
            .collect();
        names.sort();
        let taken: Vec<String> = self
            .catalogue
            .entries
            .iter()
            .map(|(id, _)| format!("{}.sql", id.name()))
            .collect();
        let free = names
            .iter()
            .map(String::as_str)
            .filter(|name| !taken.iter().any(|taken| taken == name));
        suggest::nearest(&format!("{}.sql", self.transformation.name.value), free)
            .map(str::to_owned)
    }
}

/// The one text that ends in the same name, where only the folders in front differ.
fn same_end(last: &str, texts: &[String]) -> Option<String> {
    let plain = |text: &str| {
        text.rsplit('/')
            .next()
            .unwrap_or(text)
            .trim_end_matches(".parquet")
            .to_owned()
    };
    texts
        .iter()
        .find(|text| plain(text) == last)
        .map(|text| format!("did you mean `{text}`?"))
}
