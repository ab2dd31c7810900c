//! `transformations/schemas.yml`: the columns that tables of sources and datasets had when they were last looked at, for
//! where the lake can't be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::read::{Entries, Located, Read as _, Reader};
use crate::yaml;
use crate::{Column, Columns, DatasetId, Place, Problem, Problems, SqlType};

/// Where it lies, relative to the project's folder.
const PATH: &str = "transformations/schemas.yml";

/// The columns of tables and datasets, and where each is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownSchemas(pub BTreeMap<DatasetId, Located<Columns>>);

impl KnownSchemas {
    /// The file of a project's folder.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(PATH)
    }

    /// What the file says; `None` when there is no such file. Placeholders are not filled in.
    pub fn load(folder: &Path) -> Result<Option<Self>, Problems> {
        let path = Self::path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let place = Place::file(PATH);
        let mut reader = Reader::default();
        let text = yaml::read_text(&path, &place).map_err(|problem| Problems(vec![problem]))?;
        let node = yaml::parse(&place.file, &text, &mut reader.problems);
        let tables = node
            .filter(|node| !node.is_null())
            .and_then(|node| Entries::<Entries<Located<SqlType>>>::read(&node, &mut reader));
        let mut known = BTreeMap::new();
        for (id, columns) in tables.unwrap_or_default().0 {
            match id.value.parse::<DatasetId>() {
                Ok(dataset) => {
                    let columns = columns.0.into_iter();
                    let columns = columns.map(|(name, kind)| Column::new(name.value, kind.value));
                    let columns = Located::new(Columns(columns.collect()), id.place);
                    known.insert(dataset, columns);
                }
                Err(e) => reader
                    .problems
                    .push(Problem::at(&id.place, e.to_string()).hint(
                        "write `bronze/<source>/<table>`, `silver/<dataset>` or `gold/<dataset>`",
                    )),
            }
        }
        if reader.problems.is_empty() {
            Ok(Some(Self(known)))
        } else {
            Err(Problems(reader.problems))
        }
    }
}
