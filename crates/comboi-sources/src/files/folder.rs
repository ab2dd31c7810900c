//! Finding files by patterns below a folder.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::{Error, Seen};

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Relative to the source's folder, with `/`.
    pub name: String,
    /// Where it is: absolute.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// Nanoseconds since 1970, UTC.
    pub modified: i64,
}

impl FoundFile {
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            size: self.size,
            modified: self.modified,
            gone: false,
        }
    }

    /// Whether it is still as it was found.
    pub(super) fn is_the_same_now(&self) -> bool {
        fs::metadata(&self.path)
            .is_ok_and(|now| now.len() == self.size && modified(&now) == self.modified)
    }
}

/// Every file below the folder that one of the patterns matches, by name. `*` and `?` stay within one folder, `**`
/// goes through all. Temporary files (`*.tmp`, `*.part`, and whatever begins with `.` or `_`) are not seen by
/// patterns. A name without a pattern must be there. Symbolic links that lead out of the folder are followed only if `links` says so.
pub(super) fn find(folder: &Path, patterns: &[&str], links: Links) -> Result<Found, Error> {
    let mut found = BTreeMap::new();
    let mut globs = Vec::new();
    let bounds = Bounds::of(folder, links)?;
    for pattern in patterns {
        check(pattern)?;
        let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
        if pattern.contains(['*', '?', '[', '{']) {
            globs.push(pattern);
        } else {
            let file = named(folder, pattern)?;
            if !bounds.has(&file.path)? {
                return Err(Error::Configuration(format!(
                    "`{pattern}` is a symbolic link that leads out of the source's folder; `follow_links: true` of the source allows that"
                )));
            }
            found.insert(file.name.clone(), file);
        }
    }
    let mut left_out = Vec::new();
    if !globs.is_empty() {
        left_out = walk(folder, &globs, &bounds, &mut found)?;
    }
    Ok(Found {
        files: found.into_values().collect(),
        left_out,
    })
}

/// What was found.
pub(super) struct Found {
    pub(super) files: Vec<FoundFile>,
    /// Symbolic links that were not followed, because they lead out of the folder.
    pub(super) left_out: Vec<String>,
}

/// Which symbolic links are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// Those to what is in the folder.
    Inside,
    All,
}

/// The folder that files may be in; `None`: any.
struct Bounds(Option<PathBuf>);

impl Bounds {
    fn of(folder: &Path, links: Links) -> Result<Self, Error> {
        if links == Links::All || !folder.exists() {
            return Ok(Self(None));
        }
        let unusable = |source| Error::Folder {
            folder: folder.to_owned(),
            source,
        };
        Ok(Self(Some(fs::canonicalize(folder).map_err(unusable)?)))
    }

    /// Whether a path leads to something in the folder.
    fn has(&self, path: &Path) -> Result<bool, Error> {
        let Some(folder) = &self.0 else {
            return Ok(true);
        };
        match fs::canonicalize(path) {
            Ok(real) => Ok(real.starts_with(folder)),
            // It leads nowhere, which is told elsewhere.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(source) => Err(Error::Folder {
                folder: path.to_owned(),
                source,
            }),
        }
    }
}

/// The file at this absolute path.
pub(super) fn one(path: &Path) -> Result<FoundFile, Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let (Some(folder), Some(name)) = (path.parent(), name) else {
        return Err(Error::Configuration(format!(
            "the name of `{}` is not UTF-8: rename it",
            path.display()
        )));
    };
    named(folder, name)
}

fn check(pattern: &str) -> Result<(), Error> {
    let outside = Path::new(pattern).is_absolute() || pattern.split('/').any(|part| part == "..");
    if outside || pattern.trim().is_empty() {
        return Err(Error::Configuration(format!(
            "the pattern `{pattern}` does not stay below the source's folder: write it relative to `path`"
        )));
    }
    Ok(())
}

fn named(folder: &Path, name: &str) -> Result<FoundFile, Error> {
    let path = folder.join(name);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok(file(name.to_owned(), path, &metadata)),
        Ok(_) => Err(Error::Configuration(format!(
            "`{}` is no file; for the files in a folder: `{name}/*`",
            path.display()
        ))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(Error::Missing(path)),
        Err(source) => Err(Error::Folder {
            folder: path,
            source,
        }),
    }
}

fn walk(
    folder: &Path,
    globs: &[&str],
    bounds: &Bounds,
    found: &mut BTreeMap<String, FoundFile>,
) -> Result<Vec<String>, Error> {
    if !folder.exists() {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no such folder");
        return Err(Error::Folder {
            folder: folder.to_owned(),
            source,
        });
    }
    let set = glob_set(globs)?;
    // Without `**`, nothing matches deeper than the pattern is long.
    let depth = globs
        .iter()
        .map(|glob| {
            if glob.contains("**") {
                usize::MAX
            } else {
                glob.split('/').count()
            }
        })
        .max();
    let mut left_out = Vec::new();
    let mut walk = WalkDir::new(folder)
        .follow_links(true)
        .min_depth(1)
        .max_depth(depth.unwrap_or(usize::MAX))
        .into_iter()
        .filter_entry(|entry| !is_temporary(entry));
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            // A link to a folder above is not followed a second time.
            Err(e) if e.loop_ancestor().is_some() => continue,
            Err(e) => {
                unusable(e, folder, &set)?;
                continue;
            }
        };
        let is_file = entry.file_type().is_file();
        if entry.path_is_symlink() && !bounds.has(entry.path())? {
            let name = name_below(folder, entry.path())?;
            left_out.extend(name.filter(|name| !is_file || set.is_match(name)));
            if !is_file {
                walk.skip_current_dir();
            }
            continue;
        }
        if !is_file {
            continue;
        }
        let Some(name) = name_below(folder, entry.path())? else {
            continue;
        };
        if set.is_match(&name) {
            let metadata = entry.metadata().map_err(|e| Error::Folder {
                folder: entry.path().to_owned(),
                source: e.into(),
            })?;
            found.insert(name.clone(), file(name, entry.path().to_owned(), &metadata));
        }
    }
    left_out.sort();
    Ok(left_out)
}

/// A link that leads nowhere matters only if its name is one that we want.
fn unusable(error: walkdir::Error, folder: &Path, set: &GlobSet) -> Result<(), Error> {
    let path = error.path().unwrap_or(folder).to_owned();
    let dangling = error
        .io_error()
        .is_some_and(|e| e.kind() == io::ErrorKind::NotFound);
    let wanted = name_below(folder, &path)?.is_none_or(|name| set.is_match(name));
    if dangling && !wanted {
        return Ok(());
    }
    Err(Error::Folder {
        folder: path,
        source: error.into(),
    })
}

fn name_below(folder: &Path, path: &Path) -> Result<Option<String>, Error> {
    let Ok(below) = path.strip_prefix(folder) else {
        return Ok(None);
    };
    let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
    match parts {
        Some(parts) => Ok(Some(parts.join("/"))),
        None => Err(Error::Configuration(format!(
            "the name of `{}` is not UTF-8: rename it",
            path.display()
        ))),
    }
}

fn is_temporary(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    name.starts_with(['.', '_'])
        || (!entry.file_type().is_dir() && (name.ends_with(".tmp") || name.ends_with(".part")))
}

fn glob_set(globs: &[&str]) -> Result<GlobSet, Error> {
    let bad = |glob: &str, e: &globset::Error| {
        Error::Configuration(format!("`{glob}` is no pattern: {}", e.kind()))
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(
            GlobBuilder::new(glob)
                .literal_separator(true)
                .build()
                .map_err(|e| bad(glob, &e))?,
        );
    }
    set.build().map_err(|e| bad(&globs.join(", "), &e))
}

fn file(name: String, path: PathBuf, metadata: &Metadata) -> FoundFile {
    FoundFile {
        name,
        path,
        size: metadata.len(),
        modified: modified(metadata),
    }
}

fn modified(metadata: &Metadata) -> i64 {
    let time = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let nanos = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()),
        Err(e) => i128::try_from(e.duration().as_nanos()).map(|before| -before),
    };
    // 292 years around 1970; a time stamp beyond is as good as any other.
    nanos
        .ok()
        .and_then(|nanos| i64::try_from(nanos).ok())
        .unwrap_or(i64::MAX)
}
