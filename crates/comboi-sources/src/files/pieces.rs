//! Files that are alike, together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use comboi_engine::Session;
use comboi_engine::read_files::{
    self, Compression, Dialect, FileColumn, FileToRead, Found, Group, Layout,
};
use comboi_project::{FileFormat, FilesTable};
use encoding_rs::{Encoding, UTF_8};

use super::apart::{self, Rejects, Text};
use super::blocks::{self, BLOCK_BYTES, Starts};
use super::columns::names;
use super::header::{Top, top};
use super::{FoundFile, settings};
use crate::Error;

/// Files that are alike: how DuckDB reads them, and how we take them apart if that is needed.
pub(super) struct Piece {
    pub(super) group: Group,
    how: How,
    /// The places of files that have rows that do not fit, once it is known.
    pub(super) suspects: Option<Vec<usize>>,
}

#[derive(Clone)]
enum How {
    Csv(&'static Encoding, Top, Starts),
    JsonLines(Starts),
    JsonArray,
    /// Its rows know their places already.
    Located,
}

/// The files of a work in pieces, in the order of their first files. The columns of JSON are not known yet.
pub(super) fn pieces(
    table: &FilesTable,
    root: &Path,
    files: &[FoundFile],
    session: &Session,
) -> Result<(Vec<Piece>, Vec<String>), Error> {
    let mut csv: Vec<(&FoundFile, bool)> = Vec::new();
    let (mut json, mut parquet) = (BTreeMap::new(), Vec::new());
    for file in files {
        match settings::format(table, &file.name)? {
            FileFormat::Csv => csv.push((file, file.name.to_ascii_lowercase().contains(".tsv"))),
            FileFormat::Parquet => parquet.push(to_read(file)),
            format => json
                .entry((format, settings::compression(&file.name)))
                .or_insert_with(Vec::new)
                .push(file),
        }
    }
    let (mut pieces, all_names) = csv_pieces(table, root, &csv)?;
    for ((format, _), files) in json {
        let Some(first) = files.first() else { continue };
        let compression = settings::compression(&first.name);
        let (layout, how) = match format {
            FileFormat::Json => (Layout::JsonArray(compression), How::JsonArray),
            _ => (
                Layout::JsonLines(compression),
                How::JsonLines(Starts::new()),
            ),
        };
        let files = files.into_iter().map(to_read).collect();
        pieces.push(Piece {
            group: Group {
                layout,
                folder: root.to_owned(),
                files,
                columns: Vec::new(),
            },
            how,
            suspects: None,
        });
    }
    for group in read_files::parquet_groups(session, root, &parquet)? {
        pieces.push(Piece {
            group,
            how: How::Located,
            suspects: None,
        });
    }
    for piece in &mut pieces {
        piece.name_columns()?;
    }
    Ok((pieces, all_names))
}

fn to_read(file: &FoundFile) -> FileToRead {
    FileToRead {
        path: file.path.clone(),
        name: file.name.clone(),
    }
}

/// CSV files by what is at their top.
/// Also all the columns, of files without rows too.
fn csv_pieces(
    table: &FilesTable,
    root: &Path,
    files: &[(&FoundFile, bool)],
) -> Result<(Vec<Piece>, Vec<String>), Error> {
    let mut all_names: Vec<String> = Vec::new();
    let mut places: HashMap<(Top, Compression), usize> = HashMap::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for (file, tsv) in files {
        let said = settings::said(table, *tsv)?;
        let compression = settings::compression(&file.name);
        let unreadable = |source| Error::Unreadable {
            file: file.path.clone(),
            source,
        };
        let Some(top) = top(&file.path, compression, &said).map_err(unreadable)? else {
            continue;
        };
        let columns = csv_names(table, &top);
        for name in &columns {
            if !all_names.contains(name) {
                all_names.push(name.clone());
            }
        }
        if top.no_rows {
            continue;
        }
        let place = *places.entry((top.clone(), compression)).or_insert_with(|| {
            let marks = top.marks;
            let dialect = Dialect {
                delimiter: marks.delimiter.into(),
                quote: marks.quote.map(char::from),
                escape: marks.escape.or(marks.quote).map(char::from),
                comment: marks.comment.map(char::from),
                skip_lines: top.lines,
                compression,
            };
            let columns = columns
                .iter()
                .map(|name| FileColumn {
                    spelled: name.clone(),
                    name: None,
                    sql_type: None,
                })
                .collect();
            let group = Group {
                layout: Layout::Csv(dialect),
                folder: root.to_owned(),
                files: Vec::new(),
                columns,
            };
            pieces.push(Piece {
                group,
                how: How::Csv(said.encoding, top.clone(), Starts::new()),
                suspects: None,
            });
            pieces.len() - 1
        });
        pieces[place].group.files.push(to_read(file));
    }
    Ok((pieces, all_names))
}

/// Without a header, the configuration's columns name them in order.
fn csv_names(table: &FilesTable, top: &Top) -> Vec<String> {
    match &top.names {
        Some(spelled) => names(spelled.iter().map(String::as_str)),
        None => {
            let declared = table.columns.iter().map(|(name, _)| name.value.as_str());
            names(declared.chain(std::iter::repeat("")).take(top.width))
        }
    }
}

impl Piece {
    /// Whether DuckDB would not read it as we do: another encoding, say.
    pub(super) fn needs_blocks(&self) -> bool {
        matches!(&self.how, How::Csv(_, top, _) if !top.plain)
    }

    /// Of an array that ends too soon DuckDB takes what it likes, silently.
    pub(super) fn needs_taking_apart(&self) -> bool {
        matches!(self.how, How::JsonArray)
    }

    /// What the table calls the columns.
    pub(super) fn name_columns(&mut self) -> Result<(), Error> {
        let all = names(
            self.group
                .columns
                .iter()
                .map(|column| column.spelled.as_str()),
        );
        for (column, name) in self.group.columns.iter_mut().zip(all) {
            if name.to_ascii_lowercase().starts_with("_comboi_") {
                return Err(Error::Configuration(format!(
                    "the files have a column `{}`; names that begin with `_comboi_` are comboi's own: rename it at the source",
                    column.spelled
                )));
            }
            column.name = Some(name);
        }
        Ok(())
    }

    /// Takes the keys of JSON objects that were found, and names them. Keys that differ in case only are one column.
    pub(super) fn take_keys(&mut self, found: &[Found]) -> Result<(), Error> {
        let is_json = matches!(self.how, How::JsonLines(_) | How::JsonArray)
            || matches!(self.group.layout, Layout::JsonRecords { .. });
        if !is_json {
            return Ok(());
        }
        let column = |found: &Found| FileColumn {
            spelled: found.spelled.clone(),
            name: None,
            sql_type: None,
        };
        self.group.columns = found.iter().map(column).collect();
        self.name_columns()?;
        let mut first: BTreeMap<String, String> = BTreeMap::new();
        for column in &mut self.group.columns {
            let clean = super::columns::clean(&column.spelled);
            if !clean.is_empty() {
                column.name = Some(
                    first
                        .entry(clean.to_ascii_lowercase())
                        .or_insert(clean)
                        .clone(),
                );
            }
        }
        Ok(())
    }

    /// Its files, taken apart.
    pub(super) fn into_records(self, rejects: &mut Rejects) -> Result<Self, Error> {
        let (mut files, mut longest) = (Vec::new(), 0);
        for file in &self.group.files {
            let path = rejects.next_file();
            let text = self.text(file);
            let length = match &self.how {
                How::Csv(_, top, _) => apart::csv(&text, top, &path, rejects),
                How::JsonLines(_) => apart::json_lines(&text, &path, rejects),
                How::JsonArray => apart::json_array(&text, &path),
                How::Located => Ok(0),
            };
            longest = longest.max(length.map_err(|e| unusable(file, e))?);
            files.push(FileToRead {
                path,
                name: file.name.clone(),
            });
        }
        let layout = match self.how {
            How::Csv(..) => Layout::Records { longest },
            _ => Layout::JsonRecords { longest },
        };
        Ok(Self {
            group: Group {
                layout,
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
                _ => blocks::json_lines(&text, rejects),
            };
            for (path, start) in blocks.map_err(|e| unusable(file, e))? {
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
            _ => (Layout::JsonLines(Compression::None), How::JsonLines(starts)),
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

    /// Which of its files are so large that it is worth while to find the block that matters.
    pub(super) fn large(&self) -> Vec<usize> {
        let is_text = match &self.how {
            How::Csv(_, _, starts) | How::JsonLines(starts) => starts.is_empty(),
            How::JsonArray | How::Located => false,
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
            How::JsonLines(starts) => (UTF_8, Some(starts)),
            How::JsonArray | How::Located => (UTF_8, None),
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
            Layout::JsonLines(compression) | Layout::JsonArray(compression) => *compression,
            Layout::Parquet | Layout::Records { .. } | Layout::JsonRecords { .. } => {
                Compression::None
            }
        }
    }

    /// Whether its columns are keys, which only a look at every object shows.
    pub(super) fn has_keys(&self) -> bool {
        matches!(self.how, How::JsonLines(_) | How::JsonArray)
    }

    /// Whether looking closer would tell more.
    pub(super) fn is_located(&self) -> bool {
        matches!(self.how, How::Located)
    }
}

fn unusable(file: &FileToRead, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::InvalidData => Error::BadFile(format!("`{}`: {source}", file.name)),
        _ => Error::Unreadable {
            file: file.path.clone(),
            source,
        },
    }
}
