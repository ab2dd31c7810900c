//! Held against counting by hand: a row is new as often as it came, less as often as the table has it.

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{Float64Array, Int32Array, Int64Array, StringArray};
use arrow_schema::Field;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::*;

/// A cursor, a text and a list.
type Row = (Option<i64>, Option<&'static str>, Option<Vec<i64>>);

fn schema(item: &str) -> Arc<Schema> {
    let item = Arc::new(Field::new(item, DataType::Int64, true));
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("tags", DataType::List(item), true),
    ]))
}

fn batch(rows: &[Row], item: &str) -> RecordBatch {
    let item = Arc::new(Field::new(item, DataType::Int64, true));
    let mut tags = ListBuilder::new(Int64Builder::new()).with_field(item);
    for (_, _, list) in rows {
        tags.append_option(list.as_ref().map(|it| it.iter().copied().map(Some)));
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()),
        Arc::new(tags.finish()),
    ];
    RecordBatch::try_new(schema(&tags_item(&columns[2])), columns).unwrap()
}

fn tags_item(list: &ArrayRef) -> String {
    match list.data_type() {
        DataType::List(item) => item.name().clone(),
        other => panic!("{other} is no list"),
    }
}

/// Row groups of three rows, so that there are some to pass over.
fn write(folder: &Path, name: &str, batch: &RecordBatch) -> PathBuf {
    let path = folder.join(name);
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(3));
    let file = File::create_new(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    path
}

fn read(files: &[PathBuf]) -> Vec<String> {
    let mut rows = Vec::new();
    for path in files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            for row in 0..batch.num_rows() {
                let row = batch.slice(row, 1);
                rows.push(row.columns().iter().map(|it| format!("{it:?}")).collect());
            }
        }
    }
    rows.sort();
    rows
}

struct Compared {
    _folder: TempDir,
    files: Vec<PathBuf>,
    row_count: u64,
    staged: Vec<PathBuf>,
}

fn compare(
    staged: &[RecordBatch],
    known: &[RecordBatch],
    columns: &[&str],
    cursor: Option<&str>,
    memory_bytes: usize,
) -> Result<Compared, Error> {
    let lacking = Lacking::default();
    compare_lacking(staged, known, columns, &lacking, cursor, memory_bytes)
}

fn compare_lacking(
    staged: &[RecordBatch],
    known: &[RecordBatch],
    columns: &[&str],
    lacking: &Lacking,
    cursor: Option<&str>,
    memory_bytes: usize,
) -> Result<Compared, Error> {
    let folder = tempfile::tempdir().unwrap();
    let all = |name: &str, batches: &[RecordBatch]| -> Vec<PathBuf> {
        let numbered = batches.iter().enumerate();
        numbered
            .map(|(i, batch)| write(folder.path(), &format!("{name}{i}"), batch))
            .collect()
    };
    let (staged, known) = (all("staged", staged), all("known", known));
    let comparing = Comparing {
        staged: &staged,
        known: &known,
        columns,
        lacking,
        composites: &[],
        cursor,
        cut: Cut {
            file_bytes: 1 << 20,
            row_group_rows: 3,
            memory_bytes,
        },
        stop: &Interrupter::default(),
    };
    let rows = staged
        .iter()
        .map(|file| open(file).unwrap().metadata().file_metadata().num_rows());
    let came = u64::try_from(rows.sum::<i64>()).unwrap();
    let (files, row_count) = unknown(&comparing, came, &folder.path().join("new"))?;
    Ok(Compared {
        _folder: folder,
        files,
        row_count,
        staged,
    })
}

const COLUMNS: [&str; 3] = ["id", "name", "tags"];

/// Few values, so that rows come again; by a fixed rule, so that they are the same each time.
fn some_rows(count: u64, seed: u64) -> Vec<Row> {
    let mut state = seed;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut rows = Vec::new();
    for _ in 0..count {
        let id = (next(8) != 0).then(|| i64::try_from(next(6)).unwrap());
        let name = [None, Some("a"), Some("b"), Some("")][usize::try_from(next(4)).unwrap()];
        let tags = [None, Some(vec![]), Some(vec![1])][usize::try_from(next(3)).unwrap()].clone();
        rows.push((id, name, tags));
    }
    rows
}

#[test]
fn each_row_is_there_as_often_as_it_came_in_the_end() {
    for seed in 0..20 {
        let (came, had) = (some_rows(20, seed), some_rows(40, seed + 1000));
        let mut left = had.clone();
        let new: Vec<Row> = came
            .iter()
            .filter(|row| match left.iter().position(|it| it == *row) {
                Some(place) => {
                    left.swap_remove(place);
                    false
                }
                None => true,
            })
            .cloned()
            .collect();
        let halves = |rows: &[Row], item: &str| -> Vec<RecordBatch> {
            rows.chunks(11).map(|rows| batch(rows, item)).collect()
        };
        for (cursor, memory) in [(None, 1 << 20), (Some("id"), 1 << 20), (Some("id"), 30)] {
            // Other programs call the items of a list otherwise.
            let (staged, known) = (halves(&came, "item"), halves(&had, "element"));
            let found = compare(&staged, &known, &COLUMNS, cursor, memory).unwrap();
            assert_eq!(found.row_count, new.len() as u64, "seed {seed}, {cursor:?}");
            let folder = tempfile::tempdir().unwrap();
            let expected = write(folder.path(), "expected", &batch(&new, "item"));
            assert_eq!(
                read(&found.files),
                read(&[expected]),
                "seed {seed}, {cursor:?}"
            );
        }
    }
}

#[test]
fn a_file_of_new_rows_stays_as_it_is() {
    let known = batch(&[(Some(1), Some("a"), None)], "item");
    let new = batch(
        &[(Some(1), Some("b"), None), (Some(2), Some("a"), None)],
        "item",
    );
    let found = compare(
        &[known.clone(), new],
        &[known],
        &COLUMNS,
        Some("id"),
        1 << 20,
    )
    .unwrap();
    assert_eq!(
        (found.files, found.row_count),
        (found.staged[1..].to_vec(), 2)
    );
}

#[test]
fn a_column_that_old_files_do_not_have_is_null_in_them() {
    let known = batch(&[(Some(1), None, None), (Some(2), None, None)], "item");
    let without = known.project(&[0, 2]).unwrap();
    let came = batch(&[(Some(1), None, None), (Some(2), Some("b"), None)], "item");
    let found = compare(&[came], &[without], &COLUMNS, Some("id"), 1 << 20).unwrap();
    assert_eq!(found.row_count, 1);
}

#[test]
fn only_compared_columns_tell_rows_apart() {
    let known = batch(&[(Some(1), Some("a"), None)], "item");
    let came = batch(&[(Some(1), Some("b"), None)], "item");
    let found = compare(&[came], &[known], &["id", "tags"], Some("ID"), 1 << 20).unwrap();
    assert_eq!((found.files.len(), found.row_count), (0, 0));
}

#[test]
fn a_cursor_of_floating_point_numbers_finds_nan_too() {
    let schema = Arc::new(Schema::new(vec![Field::new("at", DataType::Float64, true)]));
    let floats = |values: Vec<f64>| {
        let values: ArrayRef = Arc::new(Float64Array::from(values));
        RecordBatch::try_new(Arc::clone(&schema), vec![values]).unwrap()
    };
    let (came, had) = (
        floats(vec![f64::NAN, 9.0]),
        floats(vec![1.0, 2.0, f64::NAN]),
    );
    let found = compare(&[came], &[had], &["at"], Some("at"), 1 << 20).unwrap();
    assert_eq!(found.row_count, 1);
}

#[test]
fn another_type_is_compared_by_value_or_refused() {
    let narrow = Arc::new(Schema::new(vec![Field::new("id", DataType::Int32, true)]));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let had = RecordBatch::try_new(narrow, vec![values]).unwrap();
    let came = batch(&[(Some(2), None, None), (Some(3), None, None)], "item")
        .project(&[0])
        .unwrap();
    let found = compare(
        std::slice::from_ref(&came),
        &[had],
        &["id"],
        Some("id"),
        1 << 20,
    )
    .unwrap();
    assert_eq!(found.row_count, 1);
    let texts = Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, true)]));
    let values: ArrayRef = Arc::new(StringArray::from(vec!["secret"]));
    let had = RecordBatch::try_new(texts, vec![values]).unwrap();
    let refused = compare(&[came], &[had], &["id"], None, 1 << 20)
        .err()
        .unwrap();
    let text = format!(
        "{refused}: {}",
        std::error::Error::source(&refused).unwrap()
    );
    assert!(
        text.ends_with("nothing of it was loaded: a column has another type than in the table")
    );
    assert!(!text.contains("secret"));
}

#[test]
fn a_row_that_was_read_without_a_column_is_matched_on_the_others() {
    let item = |text: &str| -> Lacking { serde_json::from_str(text).unwrap() };
    let had = [
        (Some(1), None, None),
        (Some(1), None, None),
        (Some(2), None, None),
    ];
    let came = [
        (Some(1), Some("a"), None),
        (Some(1), None, None),
        (Some(1), Some("b"), None),
        (Some(2), Some("a"), Some(vec![1])),
        (Some(3), None, None),
    ];
    // Of the rows with 1 the table has two, one of them in all columns.
    let check = |lacking: &str, expected: &[Row]| {
        for memory_bytes in [1 << 20, 30] {
            let found = compare_lacking(
                &[batch(&came, "item")],
                &[batch(&had, "item")],
                &COLUMNS,
                &item(lacking),
                Some("id"),
                memory_bytes,
            );
            let folder = tempfile::tempdir().unwrap();
            let expected = write(folder.path(), "expected", &batch(expected, "item"));
            assert_eq!(read(&found.unwrap().files), read(&[expected]), "{lacking}");
        }
    };
    let row = |place: usize| came[place].clone();
    check("[]", &[row(0), row(2), row(3), row(4)]);
    check(r#"[["name"]]"#, &[row(2), row(3), row(4)]);
    check(r#"[["name"],["name","tags"]]"#, &[row(2), row(4)]);
    check(r#"[["tags"],["gone"]]"#, &[row(0), row(2), row(3), row(4)]);
}
