//! Where everything is: the only place that makes keys.
//!
//! ```text
//! <root>/<table>/_delta_log/00000000000000000007.json
//! <root>/<table>/part-<pipeline>-<run>-<chunk>-<attempt>-<n>.parquet
//! <root>/<table>.parquet                 the published file, if the template ends in `.parquet`
//! <root>/<table>__quarantine/…           rows that a rule kept out
//! <root>/<table>__clusters/…             what a deduplication keeps beside it
//! <root>/<table>/_files_read/…           which files a table of files was read from
//! <root of bronze>/_comboi/<record>/…    comboi's own tables
//! ```

use comboi_project::{Companion, DatasetId, PathTemplate, PipelineName, RunId, Stage};
use object_store::path::Path as Key;

/// The suffix of a template whose datasets are also published as one file.
const PARQUET: &str = ".parquet";
/// What the name of a dataset's quarantine ends in.
const QUARANTINE: &str = "__quarantine";
/// The folder, within that of a table of files, of the table of the files that it was read from. Readers of Delta tables pass over names with `_`.
pub(crate) const FILES_READ: &str = "_files_read";
/// The note of which file a publication is a copy of.
pub(crate) const PUBLISHED: &str = "_published.json";
/// What the names of objects begin with that a publication is about to move into place.
pub(crate) const PUBLICATION: &str = "_publication-";

/// The template of a stage's paths does not tell its datasets apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{template}` is no template for the paths of {stage}: {reason}")]
pub struct BadLayout {
    template: String,
    stage: Stage,
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Stage,
    Source,
    Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Slot(Slot),
}

fn segment(text: &str) -> Result<Vec<Piece>, &'static str> {
    if text.is_empty() {
        return Err("a part between two `/` is empty");
    }
    if text.starts_with(['.', '_']) {
        return Err("a part starts with `.` or `_`, which readers of the lake pass over");
    }
    let mut pieces = Vec::new();
    for (i, chunk) in text.split('{').enumerate() {
        let literal = if i == 0 {
            chunk
        } else {
            let (slot, rest) = chunk.split_once('}').ok_or("a `{` is not closed")?;
            pieces.push(Piece::Slot(match slot {
                "stage" => Slot::Stage,
                "source" => Slot::Source,
                "table" | "dataset" => Slot::Name,
                _ => return Err("it has a placeholder other than `{stage}`, `{source}`, `{table}` and `{dataset}`"),
            }));
            rest
        };
        if !literal
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '='))
        {
            return Err(
                "it has something else than letters, digits, `_`, `-`, `.`, `=` and placeholders",
            );
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal.to_owned()));
        }
    }
    Ok(pieces)
}

/// The keys of one stage.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    stage: Stage,
    base: Key,
    segments: Vec<Vec<Piece>>,
    publishes: bool,
}

impl Layout {
    /// `own_root` says that nothing but this stage lives below `base`, so that a leading `{stage}/`
    /// in the template says nothing.
    pub(crate) fn new(
        stage: Stage,
        base: Key,
        template: &PathTemplate,
        own_root: bool,
    ) -> Result<Self, BadLayout> {
        let text = template.as_str();
        let bad = |reason| BadLayout {
            template: text.to_owned(),
            stage,
            reason,
        };
        let (path, publishes) = text
            .strip_suffix(PARQUET)
            .map_or((text, false), |path| (path, true));
        let mut segments = path
            .split('/')
            .map(segment)
            .collect::<Result<Vec<_>, _>>()
            .map_err(bad)?;
        let of_stage = |segment: &Vec<Piece>| {
            *segment == [Piece::Slot(Slot::Stage)] || *segment == [Piece::Text(stage.to_string())]
        };
        if own_root && segments.len() > 1 && segments.first().is_some_and(of_stage) {
            segments.remove(0);
        }
        let names = |slot| {
            segments
                .iter()
                .flatten()
                .any(|piece| *piece == Piece::Slot(slot))
        };
        if !names(Slot::Name) {
            return Err(bad("it has neither `{table}` nor `{dataset}`"));
        }
        match (stage, names(Slot::Source)) {
            (Stage::Bronze, false) => Err(bad(
                "it has no `{source}`, and two sources may have a table of the same name",
            )),
            (Stage::Silver | Stage::Gold, true) => Err(bad("`{source}` is known only in bronze")),
            _ => Ok(Self {
                stage,
                base,
                segments,
                publishes,
            }),
        }
    }

    /// The folder of a dataset.
    pub(crate) fn table(&self, id: &DatasetId) -> Key {
        let source = match id {
            DatasetId::Extracted(source, _) => source.as_str(),
            DatasetId::Built(..) => "",
        };
        self.segments
            .iter()
            .fold(self.base.clone(), |key, segment| {
                let text: String = segment
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => text.as_str(),
                        Piece::Slot(Slot::Stage) => id.stage().as_str(),
                        Piece::Slot(Slot::Source) => source,
                        Piece::Slot(Slot::Name) => id.name(),
                    })
                    .collect();
                key.join(text)
            })
    }

    /// The single file that is published for a dataset.
    pub(crate) fn published(&self, id: &DatasetId) -> Option<Key> {
        self.publishes
            .then(|| with_suffix(&self.table(id), PARQUET))
    }

    /// Where the rows of a dataset are kept that a rule kept out.
    pub(crate) fn quarantine(&self, id: &DatasetId) -> Key {
        with_suffix(&self.table(id), QUARANTINE)
    }

    /// Which files a table of files was read from. Within its folder, because neither is of use without the other.
    pub(crate) fn files_read(&self, id: &DatasetId) -> Key {
        self.table(id).join(FILES_READ)
    }

    /// What a deduplication keeps beside a dataset.
    pub(crate) fn companion(&self, id: &DatasetId, which: Companion) -> Key {
        with_suffix(&self.table(id), which.suffix())
    }

    /// One of comboi's own tables.
    pub(crate) fn record(&self, name: &'static str) -> Key {
        self.base.clone().join("_comboi").join(name)
    }

    /// An object that is there for a moment only.
    pub(crate) fn probe(&self, name: &str) -> Key {
        self.base.clone().join("_comboi").join("probes").join(name)
    }

    /// The folder below which all datasets are.
    pub(crate) fn base(&self) -> &Key {
        &self.base
    }

    /// How many folders deep the datasets are.
    pub(crate) fn depth(&self) -> usize {
        self.segments.len()
    }

    /// Which dataset a folder holds, or holds something beside; `None` when it is none of this stage.
    pub(crate) fn owner(&self, folder: &Key) -> Option<DatasetId> {
        if let Some(id) = self.dataset(folder) {
            return Some(id);
        }
        let mut suffixes = vec![QUARANTINE];
        if self.stage != Stage::Bronze {
            suffixes.extend(Companion::ALL.map(Companion::suffix));
        }
        let mut suffixes = suffixes.into_iter();
        let table = suffixes.find_map(|suffix| folder.as_ref().strip_suffix(suffix))?;
        self.dataset(&Key::parse(table).ok()?)
    }

    /// Which dataset a folder holds; `None` when it is none of this stage.
    pub(crate) fn dataset(&self, table: &Key) -> Option<DatasetId> {
        let parts: Vec<_> = table.prefix_match(&self.base)?.collect();
        if parts.len() != self.depth() {
            return None;
        }
        let mut found = Found::default();
        for (part, segment) in parts.iter().zip(&self.segments) {
            found = take(part.as_ref(), segment, self.stage, &found)?;
        }
        let name = found.name?;
        let mut beside = Companion::ALL.into_iter().map(Companion::suffix);
        if name.ends_with(QUARANTINE)
            || self.stage != Stage::Bronze && beside.any(|end| name.ends_with(end))
        {
            return None;
        }
        match self.stage {
            Stage::Bronze => Some(DatasetId::Extracted(
                found.source?.parse().ok()?,
                name.parse().ok()?,
            )),
            stage => Some(DatasetId::Built(stage, name.parse().ok()?)),
        }
    }
}

#[derive(Clone, Default)]
struct Found {
    source: Option<String>,
    name: Option<String>,
}

/// Matches a text with the pieces of a segment, trying every length for each placeholder.
fn take(text: &str, pieces: &[Piece], stage: Stage, found: &Found) -> Option<Found> {
    let Some((piece, rest)) = pieces.split_first() else {
        return text.is_empty().then(|| found.clone());
    };
    match piece {
        Piece::Text(literal) => take(text.strip_prefix(literal.as_str())?, rest, stage, found),
        Piece::Slot(Slot::Stage) => take(text.strip_prefix(stage.as_str())?, rest, stage, found),
        Piece::Slot(slot) => (1..=text.len()).find_map(|length| {
            let (value, after) = text.split_at_checked(length)?;
            let mut found = found.clone();
            let known = if *slot == Slot::Source {
                &mut found.source
            } else {
                &mut found.name
            };
            if known.as_ref().is_some_and(|known| known != value) {
                return None;
            }
            *known = Some(value.to_owned());
            take(after, rest, stage, &found)
        }),
    }
}

fn with_suffix(key: &Key, suffix: &str) -> Key {
    Key::parse(format!("{key}{suffix}")).expect("a key followed by letters, `_` and `.` is a key")
}

/// A key below a dataset's folder, of a name that stands in its log. `None` for anything that would
/// lead out of the folder.
pub(crate) fn below(table: &Key, name: &str) -> Option<Key> {
    let name = Key::parse(name).ok()?;
    let outside = name.parts().any(|part| part.as_ref() == "..") || name.parts().next().is_none();
    (!outside).then(|| Key::from_iter(table.parts().chain(name.parts())))
}

/// Where it is noted which file a publication is a copy of.
pub(crate) fn publication_note(table: &Key) -> Key {
    table.clone().join(PUBLISHED)
}

/// The log entry of a version.
pub(crate) fn log_entry(table: &Key, version: u64) -> Key {
    log(table).join(format!("{version:020}.json"))
}

/// The checkpoint of a log at a version.
pub(crate) fn log_checkpoint(table: &Key, version: u64) -> Key {
    log(table).join(format!("{version:020}.checkpoint.parquet"))
}

/// The folder of a dataset's log.
pub(crate) fn log(table: &Key) -> Key {
    table.clone().join("_delta_log")
}

/// The version that an object of the log belongs to, and what it is.
pub(crate) fn logged_version(key: &Key) -> Option<(u64, LogObject)> {
    let name = key.filename()?;
    let (number, kind) = name.split_once('.')?;
    let version = (number.len() == 20).then(|| number.parse().ok())??;
    match kind {
        "json" => Some((version, LogObject::Entry)),
        "checkpoint.parquet" => Some((version, LogObject::Checkpoint)),
        parts if parts.starts_with("checkpoint.") => Some((version, LogObject::SplitCheckpoint)),
        _ => None,
    }
}

/// The kinds of objects in a log that a version needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogObject {
    Entry,
    Checkpoint,
    /// One of several objects of a checkpoint, or one with a name of its own.
    SplitCheckpoint,
}

/// The name of a data file of ours. It says whose it is, so that garbage is told from a file that
/// its writer has yet to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartName {
    pub(crate) pipeline: PipelineName,
    pub(crate) run: RunId,
    pub(crate) chunk: u32,
}

impl PartName {
    /// The name of the `n`-th file of one attempt. `attempt` is unique, so no two files share a name.
    pub(crate) fn file(&self, attempt: &str, n: usize) -> String {
        let Self {
            pipeline,
            run,
            chunk,
        } = self;
        format!(
            "part-{pipeline}-{:012}-{chunk:07}-{attempt}-{n}{PARQUET}",
            run.0
        )
    }

    /// Reads a name, also of a copy that was never finished.
    pub(crate) fn parse(file: &str) -> Option<Self> {
        let name = file
            .strip_suffix(UNFINISHED)
            .unwrap_or(file)
            .strip_suffix(PARQUET)?;
        let ["part", pipeline, run, chunk, _attempt, _n] = name.split('-').collect::<Vec<_>>()[..]
        else {
            return None;
        };
        Some(Self {
            pipeline: pipeline.parse().ok()?,
            run: RunId(run.parse().ok()?),
            chunk: chunk.parse().ok()?,
        })
    }
}

/// What the name of a file ends in while it is being copied.
pub(crate) const UNFINISHED: &str = ".unfinished";

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(stage: Stage, template: &str, own_root: bool) -> Result<Layout, String> {
        let template: PathTemplate = template.parse().map_err(|e| format!("{e}"))?;
        Layout::new(stage, Key::parse("lake").unwrap(), &template, own_root)
            .map_err(|e| e.to_string())
    }

    #[track_caller]
    fn check(template: &str, dataset: &str, expected: &str) {
        let id: DatasetId = dataset.parse().unwrap();
        let layout = layout(id.stage(), template, true).unwrap();
        let published = layout
            .published(&id)
            .map_or("-".to_owned(), |key| key.to_string());
        assert_eq!(format!("{} {published}", layout.table(&id)), expected);
        assert_eq!(
            layout.dataset(&layout.table(&id)),
            Some(id.clone()),
            "the way back"
        );
        assert_eq!(
            layout.dataset(&layout.quarantine(&id)),
            None,
            "a quarantine is no dataset"
        );
        for folder in [layout.table(&id), layout.quarantine(&id)] {
            assert_eq!(layout.owner(&folder), Some(id.clone()));
        }
    }

    #[test]
    fn datasets_are_where_the_template_says() {
        check(
            "{source}/{table}",
            "bronze/shop/orders",
            "lake/shop/orders -",
        );
        check(
            "{stage}/{source}/{table}.parquet",
            "bronze/crm/customers",
            "lake/crm/customers lake/crm/customers.parquet",
        );
        check(
            "refined/{dataset}.parquet",
            "silver/clean",
            "lake/refined/clean lake/refined/clean.parquet",
        );
        check(
            "v1.{stage}/x-{table}",
            "gold/sales",
            "lake/v1.gold/x-sales -",
        );
        check("{source}_{table}", "bronze/a/b", "lake/a_b -");
        check("silver/{dataset}/data", "silver/x", "lake/x/data -");
        check("{source}/{table}", "bronze/bronze/t", "lake/bronze/t -");
    }

    #[test]
    fn the_stage_stays_in_the_path_where_stages_share_a_root() {
        let layout = layout(Stage::Silver, "{stage}/{dataset}", false).unwrap();
        assert_eq!(
            layout.table(&"silver/clean".parse().unwrap()).to_string(),
            "lake/silver/clean"
        );
    }

    #[test]
    fn templates_that_lead_astray_are_refused() {
        for (stage, template) in [
            (Stage::Silver, "../{dataset}"),
            (Stage::Silver, "/{dataset}"),
            (Stage::Silver, "a//{dataset}"),
            (Stage::Silver, "_delta_log/{dataset}"),
            (Stage::Silver, "{name}"),
            (Stage::Silver, "{dataset"),
            (Stage::Silver, "a b/{dataset}"),
            (Stage::Silver, "{source}/{dataset}"),
            (Stage::Silver, ""),
            (Stage::Bronze, "{table}"),
        ] {
            assert!(layout(stage, template, true).is_err(), "{template}");
        }
    }

    #[test]
    fn the_name_of_a_file_says_whose_it_is() {
        let name = PartName {
            pipeline: "shop_eu".parse().unwrap(),
            run: RunId(7),
            chunk: 2,
        };
        let file = name.file("5f2a", 0);
        assert_eq!(file, "part-shop_eu-000000000007-0000002-5f2a-0.parquet");
        assert_eq!(PartName::parse(&file), Some(name.clone()));
        assert_eq!(PartName::parse(&format!("{file}{UNFINISHED}")), Some(name));
        assert_eq!(PartName::parse("part-00000-c000.snappy.parquet"), None);
    }

    #[test]
    fn no_name_in_a_log_leads_out_of_the_dataset() {
        let table = Key::parse("lake/orders").unwrap();
        assert_eq!(
            below(&table, "a/b.parquet").unwrap().to_string(),
            "lake/orders/a/b.parquet"
        );
        for name in ["../x", "a/../../x", "", "/etc/passwd/..", "."] {
            assert_eq!(below(&table, name), None, "{name}");
        }
    }
}
