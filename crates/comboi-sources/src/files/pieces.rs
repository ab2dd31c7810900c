//! Files that are alike, together.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use comboi_engine::Session;
use comboi_engine::read_files::{
    self, Compression, Dialect, FileColumn, FileToRead, Found, Group, Layout,
};
use comboi_project::{FileFormat, FilesTable};

use super::apart::{self, Rejects};
use super::columns::names;
use super::header::{Said, Top, top};
use super::{FoundFile, settings};
use crate::Error;

/// Files that are alike: how DuckDB reads them, and how we take them apart if that is needed.
pub(super) struct Piece {
    pub(super) group: Group,
    how: How,
}

enum How {
    Csv(Said, Top),
    JsonLines,
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
            _ => (Layout::JsonLines(compression), How::JsonLines),
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
        });
    }
    for group in read_files::parquet_groups(session, root, &parquet)? {
        pieces.push(Piece {
            group,
            how: How::Located,
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
                how: How::Csv(said, top.clone()),
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
    /// Whether DuckDB would not read it as we do. Of an array that ends too soon it takes what it likes, silently.
    pub(super) fn needs_taking_apart(&self) -> bool {
        match &self.how {
            How::Csv(_, top) => !top.plain,
            How::JsonArray => true,
            How::JsonLines | How::Located => false,
        }
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
        let is_json = matches!(self.how, How::JsonLines | How::JsonArray)
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

    /// These files of the piece, taken apart; the rest stays in it.
    pub(super) fn take_apart(
        &mut self,
        places: &[usize],
        rejects: &mut Rejects,
    ) -> Result<Vec<Self>, Error> {
        let mut apart = Vec::new();
        for place in places {
            let Some(file) = self.group.files.get(*place) else {
                continue;
            };
            let to = rejects.next_file();
            let layout =
                self.layout_of(file, &to, rejects)
                    .map_err(|source| match source.kind() {
                        io::ErrorKind::InvalidData => {
                            Error::BadFile(format!("`{}`: {source}", file.name))
                        }
                        _ => Error::Unreadable {
                            file: file.path.clone(),
                            source,
                        },
                    })?;
            let files = vec![FileToRead {
                path: to,
                name: file.name.clone(),
            }];
            let group = Group {
                layout,
                folder: PathBuf::new(),
                files,
                columns: self.group.columns.clone(),
            };
            apart.push(Self {
                group,
                how: How::Located,
            });
        }
        let mut place = 0;
        self.group.files.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
        Ok(apart)
    }

    fn layout_of(&self, file: &FileToRead, to: &Path, rejects: &mut Rejects) -> io::Result<Layout> {
        let compression = settings::compression(&file.name);
        match &self.how {
            How::Csv(said, top) => {
                apart::csv(&file.name, &file.path, compression, said, top, to, rejects)
            }
            How::JsonLines => apart::json_lines(&file.name, &file.path, compression, to, rejects),
            How::JsonArray => apart::json_array(&file.name, &file.path, compression, to),
            How::Located => Ok(self.group.layout.clone()),
        }
    }

    /// Whether its columns are keys, which only a look at every object shows.
    pub(super) fn has_keys(&self) -> bool {
        matches!(self.how, How::JsonLines | How::JsonArray)
    }

    /// Whether looking closer would tell more.
    pub(super) fn is_located(&self) -> bool {
        matches!(self.how, How::Located)
    }
}
