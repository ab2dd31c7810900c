//! The files of a work, those that are alike together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use comboi_engine::Session;
use comboi_engine::read_files::{
    self, Compression, Dialect, FileColumn, FileToRead, Group, Json, Layout,
};
use comboi_project::{Column, Columns, FileFormat, FilesTable};
use encoding_rs::Encoding;

use super::blocks::Starts;
use super::header::{Top, top};
use super::headers::Headers;
use super::piece::{How, Piece, unusable};
use super::{FoundFile, settings, text};
use crate::Error;
use crate::names::Names;

/// The files of a work in pieces, in the order of their first files. The columns of JSON are not known yet.
pub(super) fn pieces(
    table: &FilesTable,
    root: &Path,
    files: &[FoundFile],
    session: &Session,
    scratch: &Path,
    names: &mut Names,
    known: Option<&Columns>,
) -> Result<(Vec<Piece>, Vec<Column>), Error> {
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
    let (mut pieces, in_headers) = csv_pieces(table, root, &csv, names, known)?;
    for ((format, _), files) in json {
        let Some(first) = files.first() else { continue };
        let compression = settings::compression(&first.name);
        let layout = Layout::Json(Json {
            compression,
            lines: format == FileFormat::Ndjson,
            ..Json::default()
        });
        let files = files.into_iter().map(to_read).collect();
        pieces.push(Piece {
            group: Group {
                layout,
                folder: root.to_owned(),
                files,
                columns: Vec::new(),
            },
            how: How::Located,
            suspects: None,
        });
    }
    for group in read_files::parquet_groups(session, root, &parquet, &scratch.join("parquet"))? {
        let mut piece = Piece {
            group,
            how: How::Located,
            suspects: None,
        };
        piece.name_columns(names)?;
        pieces.push(piece);
    }
    Ok((pieces, in_headers))
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
    names: &mut Names,
    known: Option<&Columns>,
) -> Result<(Vec<Piece>, Vec<Column>), Error> {
    let mut headers = Headers::of(known);
    let (mut in_headers, mut known_headers) = (Vec::new(), HashSet::new());
    let mut places: HashMap<(Top, Compression, &Encoding), usize> = HashMap::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for (file, tsv) in files {
        let mut said = settings::said(table, *tsv)?;
        let compression = settings::compression(&file.name);
        let unreadable = |source| unusable(&to_read(file), source);
        said.encoding =
            text::encoding_of(&file.path, compression, said.encoding).map_err(unreadable)?;
        let Some(top) = top(&file.path, compression, &said).map_err(unreadable)? else {
            continue;
        };
        let columns = csv_columns(table, &top, names);
        if top.names.is_some() {
            headers.add(&file.name, columns.iter().map(|(_, column)| &column.name));
        }
        for (_, column) in &columns {
            if known_headers.insert(column.name.clone()) {
                in_headers.push(column.clone());
            }
        }
        if top.no_rows {
            continue;
        }
        let alike = (top.clone(), compression, said.encoding);
        let place = *places.entry(alike).or_insert_with(|| {
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
                .into_iter()
                .map(|(spelled, column)| FileColumn {
                    spelled,
                    name: Some(column.name),
                    sql_type: None,
                    stored_type: None,
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
    headers.check()?;
    for piece in &pieces {
        piece.check_names()?;
    }
    Ok((pieces, in_headers))
}

/// The columns as they are spelled and as the table has them. Without a header, the configuration's columns name them in
/// order.
fn csv_columns(table: &FilesTable, top: &Top, names: &mut Names) -> Vec<(String, Column)> {
    let spelled: Vec<String> = match &top.names {
        Some(spelled) => spelled.clone(),
        None => {
            let declared = table.columns.iter().map(|(name, _)| name.value.clone());
            declared
                .chain(std::iter::repeat(String::new()))
                .take(top.width)
                .collect()
        }
    };
    let columns = names.assign(spelled.iter().map(String::as_str));
    spelled.into_iter().zip(columns).collect()
}
