//! Files that are alike, and the ways to look at them closer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::{fs, io};

use comboi_engine::read_files::{
    Compression, Dialect, FileColumn, FileToRead, Found, Group, Layout,
};
use comboi_project::{Column, SqlType};
use encoding_rs::{Encoding, UTF_8};

use super::apart::{self, Rejects, Text};
use super::blocks::{self, BLOCK_BYTES, Starts};
use super::header::Top;
use crate::Error;
use crate::names::Names;

/// Files that are alike: how DuckDB reads them, and how we take them apart if that is needed.
pub(super) struct Piece {
    pub(super) group: Group,
    pub(super) how: How,
    /// The places of files that have rows that do not fit, once it is known.
    pub(super) suspects: Option<Vec<usize>>,
}

/// How a piece is taken apart.
#[derive(Clone)]
pub(super) enum How {
    Csv(&'static Encoding, Top, Starts),
    /// Its rows know their places already.
    Located,
}

impl Piece {
    /// Whether DuckDB would not read it as we do: another encoding, say.
    pub(super) fn needs_blocks(&self) -> bool {
        matches!(&self.how, How::Csv(_, top, _) if !top.plain)
    }

    /// Whether DuckDB would read other values than we do, in blocks too.
    pub(super) fn needs_records(&self) -> bool {
        matches!(&self.how, How::Csv(_, top, _) if top.other_escapes)
    }

    /// What the table calls the columns.
    pub(super) fn name_columns(&mut self, names: &mut Names) -> Result<(), Error> {
        let is_json = self.has_keys();
        let columns = &mut self.group.columns;
        let spelled = columns.iter().map(|column| column.spelled.as_str());
        let all = if is_json {
            names.assign_keys(spelled)
        } else {
            names.assign(spelled)
        };
        for (column, named) in columns.iter_mut().zip(all) {
            if let Some(of) = &column.sql_type {
                column.sql_type = Some(names.name_fields(&named.name, of, None));
            }
            column.name = Some(named.name);
        }
        self.check_names()
    }

    /// Whether no column has a name of comboi's own.
    pub(super) fn check_names(&self) -> Result<(), Error> {
        for column in &self.group.columns {
            let name = column.name.as_deref().unwrap_or_default();
            if name.to_ascii_lowercase().starts_with("_comboi_") {
                return Err(Error::Configuration(format!(
                    "the files have a column `{}`; names that begin with `_comboi_` are comboi's own: rename it at the source",
                    column.spelled
                )));
            }
        }
        Ok(())
    }

    /// Takes the keys of JSON objects that were found, and names them; the found columns with nested fields by the
    /// names that the table has for them. `known` is what the types so far are.
    pub(super) fn take_keys(
        &mut self,
        found: Vec<Found>,
        known: &[Column],
        names: &mut Names,
    ) -> Result<Vec<Found>, Error> {
        if !self.has_keys() {
            return Ok(found);
        }
        let column = |found: &Found| FileColumn {
            spelled: found.spelled.clone(),
            name: None,
            sql_type: None,
            stored_type: None,
        };
        self.group.columns = found.iter().map(column).collect();
        self.name_columns(names)?;
        let mut keys = BTreeMap::new();
        let known: HashMap<&str, &SqlType> = known
            .iter()
            .map(|column| (column.name.as_str(), &column.sql_type))
            .collect();
        let named = self.group.columns.iter().zip(found).map(|(column, found)| {
            let name = column.name.as_deref().unwrap_or_default();
            let known = known.get(name).copied();
            let sql_type = names.name_fields(name, &found.sql_type, known);
            // Those that no object of the file has, too: another key may be as a name of theirs.
            let noted = names.column(name, SqlType::Null).field_names.into_iter();
            let renamed = noted.filter(|(path, key)| path.last() != Some(key));
            keys.extend(renamed.map(|(mut path, key)| {
                path.insert(0, found.spelled.clone());
                (path, key)
            }));
            Found { sql_type, ..found }
        });
        let named = named.collect();
        if let Layout::Json(json) = &mut self.group.layout {
            json.keys = keys;
        }
        Ok(named)
    }

    /// Its files, taken apart.
    pub(super) fn into_records(self, rejects: &mut Rejects) -> Result<Self, Error> {
        let (mut files, mut longest) = (Vec::new(), 0);
        for file in &self.group.files {
            let path = rejects.next_file();
            let text = self.text(file);
            let length = match &self.how {
                How::Csv(_, top, _) => apart::csv(&text, top, &path, rejects),
                How::Located => Ok(0),
            };
            longest = longest.max(length.map_err(|e| not_taken_apart(file, &path, e))?);
            files.push(FileToRead {
                path,
                name: file.name.clone(),
            });
        }
        Ok(Self {
            group: Group {
                layout: Layout::Records { longest },
                folder: PathBuf::new(),
                files,
                columns: self.group.columns,
            },
            how: How::Located,
            suspects: None,
        })
    }

    /// Its files in blocks of plain text.
    pub(super) fn into_blocks(self, rejects: &mut Rejects) -> Result<Self, Error> {
        let (mut files, mut starts) = (Vec::new(), Starts::new());
        for file in &self.group.files {
            let text = self.text(file);
            let blocks = match &self.how {
                How::Csv(_, top, _) => blocks::csv(&text, top, rejects),
                How::Located => Ok(Vec::new()),
            };
            for (path, start) in blocks.map_err(|e| not_taken_apart(file, &rejects.path, e))? {
                files.push(FileToRead {
                    path: path.clone(),
                    name: file.name.clone(),
                });
                starts.insert(path, start);
            }
        }
        let (layout, how) = match (self.group.layout, self.how) {
            (Layout::Csv(dialect), How::Csv(_, top, _)) => {
                let dialect = Dialect {
                    skip_lines: 0,
                    compression: Compression::None,
                    ..dialect
                };
                let top = Top {
                    lines: 0,
                    plain: true,
                    ..top
                };
                (Layout::Csv(dialect), How::Csv(UTF_8, top, starts))
            }
            located => located,
        };
        Ok(Self {
            group: Group {
                layout,
                folder: rejects.next_folder(),
                files,
                columns: self.group.columns,
            },
            how,
            suspects: None,
        })
    }

    /// Whether its files are blocks of others.
    pub(super) fn is_in_blocks(&self) -> bool {
        match &self.how {
            How::Csv(_, _, starts) => !starts.is_empty(),
            How::Located => false,
        }
    }

    /// Which of its files are so large that it is worth while to find the block that matters.
    pub(super) fn large(&self) -> Vec<usize> {
        let is_text = match &self.how {
            How::Csv(_, _, starts) => starts.is_empty(),
            How::Located => false,
        };
        // What text is compressed to.
        let smaller = match self.compression() {
            Compression::None => 1,
            Compression::Gzip | Compression::Zstd => 8,
        };
        let is_large = |file: &FileToRead| {
            fs::metadata(&file.path).is_ok_and(|it| it.len() > 2 * BLOCK_BYTES / smaller)
        };
        let files = self.group.files.iter().enumerate();
        let large = files.filter(|(_, file)| is_text && is_large(file));
        large.map(|(place, _)| place).collect()
    }

    /// These files as a piece of their own; the rest stays in this one.
    pub(super) fn take(&mut self, places: &[usize]) -> Self {
        let places: BTreeSet<usize> = places.iter().copied().collect();
        let files = std::mem::take(&mut self.group.files).into_iter();
        let (taken, left): (Vec<_>, Vec<_>) = files
            .enumerate()
            .partition(|(place, _)| places.contains(place));
        self.group.files = left.into_iter().map(|(_, file)| file).collect();
        Self {
            group: Group {
                files: taken.into_iter().map(|(_, file)| file).collect(),
                ..self.group.clone()
            },
            how: self.how.clone(),
            suspects: None,
        }
    }

    fn text<'a>(&self, file: &'a FileToRead) -> Text<'a> {
        let (encoding, starts) = match &self.how {
            How::Csv(encoding, _, starts) => (*encoding, Some(starts)),
            How::Located => (UTF_8, None),
        };
        let start = starts.and_then(|starts| starts.get(&file.path));
        Text {
            name: &file.name,
            path: &file.path,
            compression: self.compression(),
            encoding,
            start: start.copied().unwrap_or_default(),
        }
    }

    fn compression(&self) -> Compression {
        match &self.group.layout {
            Layout::Csv(dialect) => dialect.compression,
            Layout::Json(json) => json.compression,
            Layout::Parquet | Layout::Records { .. } => Compression::None,
        }
    }

    /// Whether its columns are keys, which only a look at every object shows.
    pub(super) fn has_keys(&self) -> bool {
        self.group.layout.is_json()
    }

    /// Whether DuckDB is to read it as CSV.
    pub(super) fn is_csv(&self) -> bool {
        matches!(self.group.layout, Layout::Csv(_))
    }

    /// Whether looking closer would tell more.
    pub(super) fn is_located(&self) -> bool {
        matches!(self.how, How::Located)
    }
}

/// What is wrong when a file can't be read.
pub(super) fn unusable(file: &FileToRead, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::InvalidData => Error::BadFile(format!("`{}`: {source}", file.name)),
        // What decompresses says so.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Error::BadFile(format!(
                "`{}`: it is damaged or cut off: it can't be decompressed to its end ({source})",
                file.name
            ))
        }
        _ => Error::Unreadable {
            file: file.path.clone(),
            source,
        },
    }
}

/// What is wrong when a file is taken apart into others.
fn not_taken_apart(file: &FileToRead, written: &Path, source: io::Error) -> Error {
    match source.kind() {
        // Reading needs no room: it is what is written beside it that does not fit.
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::WriteZero => Error::Staging {
            file: written.to_owned(),
            source,
        },
        _ => unusable(file, source),
    }
}
