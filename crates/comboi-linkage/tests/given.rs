//! What tests are given: a session, records of the labelled sets, values out of Parquet files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use comboi_engine::arrow::array::{Array, AsArray};
use comboi_engine::arrow::datatypes::UInt32Type;
use comboi_engine::{Form, Limits, Records as Table, Session};
use comboi_linkage::{Error, Linkage, Predict, Records, Rule, Settings, Training};
use comboi_project::Place;
use tempfile::TempDir;

pub(crate) struct Given {
    pub(crate) session: Session,
    folder: TempDir,
}

pub(crate) fn place() -> Place {
    Place::file("settings.json")
}

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

impl Given {
    pub(crate) fn new() -> Self {
        Self::within(512 << 20)
    }

    pub(crate) fn within(memory_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits {
            memory_bytes,
            threads: 2,
            max_spill_bytes: None,
        };
        let session = Session::open(&limits, &folder.path().join("scratch")).unwrap();
        Self { session, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn open(
        &self,
        file: &str,
        settings: Settings,
        training: Option<&Training>,
    ) -> Result<Linkage, Error> {
        let files = [data(file)];
        let records = Records {
            files: &files,
            columns: None,
            blank_is_null: false,
        };
        Linkage::open(&self.session, &records, settings, training)
    }

    /// Columns of a file, as text, by row.
    pub(crate) fn columns(&self, file: &Path, names: &[&str]) -> Vec<Vec<Option<String>>> {
        let table = Table::open(&self.session, &[file.to_owned()], None, None, &place()).unwrap();
        let wanted: Vec<(String, Form)> = names
            .iter()
            .map(|it| ((*it).to_owned(), Form::Text))
            .collect();
        let mut rows = vec![Vec::new(); usize::try_from(table.row_count()).unwrap()];
        table
            .read(&wanted, &mut |batch| {
                let numbers = batch.column(0).as_primitive::<UInt32Type>();
                for i in 0..batch.num_rows() {
                    let cell = |at: usize| {
                        let texts = batch.column(at + 1).as_string::<i32>();
                        texts.is_valid(i).then(|| texts.value(i).to_owned())
                    };
                    rows[numbers.value(i) as usize] = (0..names.len()).map(cell).collect();
                }
            })
            .unwrap();
        rows
    }

    /// A number for each row: the same for the same label.
    pub(crate) fn labels(&self, file: &str) -> Vec<u32> {
        let mut numbers = HashMap::new();
        let rows = self.columns(&data(file), &["cluster"]);
        rows.into_iter()
            .map(|row| {
                let next = u32::try_from(numbers.len()).unwrap();
                *numbers.entry(row[0].clone()).or_insert(next)
            })
            .collect()
    }
}

pub(crate) fn model(name: &str) -> Settings {
    let path = data(&format!("{name}.model.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (settings, warnings) = Settings::from_json(&text, &path).unwrap();
    assert_eq!(
        warnings,
        [],
        "Splink's own files hold nothing that is not known"
    );
    settings
}

pub(crate) fn all_pairs() -> Predict {
    Predict {
        threshold_weight: f64::NEG_INFINITY,
        pairs_budget: None,
    }
}

pub(crate) fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|it| Rule::new(*it, &place())).collect()
}
