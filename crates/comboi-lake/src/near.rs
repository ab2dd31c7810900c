//! Which files of a dataset may hold a row that others hold too, by what Delta's log and their footers say of the values.

use std::fs::File;
use std::path::{Path, PathBuf};

use delta_kernel::expressions::Scalar;
use deltalake::kernel::LogicalFileView;
use deltalake::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::bounds::Values;
use crate::error::{Error, Source};
use crate::layout::PartName;
use crate::snapshot::{DataFile, Snapshot};
use crate::table::Table;

impl Table {
    /// The files of a version that may hold a row with the same values in all of these columns, NULL for NULL, as a row of files
    /// on this machine. In the order of the snapshot; all of them if there is no column.
    ///
    /// Of other programs' files the log is not asked: they are always among them.
    pub async fn files_near(
        &self,
        base: &Snapshot,
        staged: &[PathBuf],
        columns: &[String],
    ) -> Result<Vec<DataFile>, Error> {
        let (files, names) = (staged.to_owned(), columns.to_owned());
        let look = move || values_in(&files, &names);
        let coming = tokio::task::spawn_blocking(look)
            .await
            .map_err(|e| self.unavailable("look through new rows of", e.into()))?
            .map_err(|e| self.unavailable("look through new rows of", e))?;
        let apart: Vec<String> = base
            .views()
            .filter(|view| PartName::parse(&view.path()).is_some())
            .filter(|view| {
                let logged = Logged::of(view);
                let mut pairs = columns.iter().zip(&coming);
                pairs.any(|(name, coming)| !coming.may_share(&logged.values(name)))
            })
            .map(|view| view.path().into_owned())
            .collect();
        let near = base.files.iter().filter(|it| !apart.contains(&it.name));
        Ok(near.cloned().collect())
    }
}

/// What is known of each column's values in these files together.
fn values_in(files: &[PathBuf], columns: &[String]) -> Result<Vec<Values>, Source> {
    let mut all: Option<Vec<Values>> = None;
    for path in files {
        let footer = footer(path)?;
        let of_file = columns.iter().map(|name| in_file(&footer, name));
        all = Some(match all {
            None => of_file.collect(),
            Some(all) => all
                .into_iter()
                .zip(of_file)
                .map(|(a, b)| a.with(b))
                .collect(),
        });
    }
    Ok(all.unwrap_or_else(|| vec![Values::default(); columns.len()]))
}

fn footer(path: &Path) -> Result<ParquetMetaData, Source> {
    let file = File::open(path)?;
    let footer = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Skip)
        .parse_and_finish(&file)?;
    Ok(footer)
}

fn in_file(footer: &ParquetMetaData, name: &str) -> Values {
    let leaves = footer.file_metadata().schema_descr().columns();
    let place = leaves.iter().position(|leaf| leaf.path().parts() == [name]);
    place.map_or_else(Values::default, |place| Values::in_file(footer, place))
}

/// What the log says of a file's values.
struct Logged {
    least: Option<Scalar>,
    greatest: Option<Scalar>,
    null_counts: Option<Scalar>,
}

impl Logged {
    fn of(view: &LogicalFileView) -> Self {
        Self {
            least: view.min_values(),
            greatest: view.max_values(),
            null_counts: view.null_counts(),
        }
    }

    fn values(&self, column: &str) -> Values {
        let of = |all: &Option<Scalar>| {
            let Some(Scalar::Struct(all)) = all else {
                return None;
            };
            let place = all.fields().iter().position(|it| it.name() == column)?;
            all.values().get(place).cloned()
        };
        let (least, greatest) = (of(&self.least), of(&self.greatest));
        Values::logged(
            least.as_ref(),
            greatest.as_ref(),
            of(&self.null_counts).as_ref(),
        )
    }
}
