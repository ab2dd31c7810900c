//! Which columns readers may look for in the statistics of the files, over the life of a table.

use std::sync::Arc;

use comboi_lake::{Change, Remove, Table};
use comboi_project::RunId;
use comboi_test::{Store, get, memory, put};
use deltalake::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use serde_json::{Value, json};

use crate::world::{ORDERS, Staging, columns, commit, day, parquet, pipeline, staging, table_in};

const COLUMNS: &str = "delta.dataSkippingStatsColumns";

/// A file of `id`, and of `x` where it is asked for. Its writer says nothing of NaN, so `x` has no bounds.
fn file(staging: &Staging, run: u32, x: Option<Vec<Option<f64>>>) -> Change {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![i64::from(run); 2]));
    let mut arrays = vec![("id", id)];
    let mut of = "id BIGINT".to_owned();
    if let Some(x) = x {
        arrays.push(("x", Arc::new(Float64Array::from(x))));
        of.push_str("; x DOUBLE");
    }
    let batch = RecordBatch::try_from_iter(arrays).unwrap();
    Change {
        columns: columns(&of),
        add: vec![parquet(
            &staging.path().join(format!("{run}.parquet")),
            batch,
        )],
        ..staging.append(run, 0, &[0])
    }
}

/// The configuration of the newest version.
async fn configuration(store: &Store, table: &Table) -> Value {
    let version = table.snapshot().await.unwrap().unwrap().version;
    let name = entry(version);
    let entry = get(store.as_ref(), &name).await.unwrap().unwrap();
    let entry = String::from_utf8(entry.to_vec()).unwrap();
    let actions = entry
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let mut all = actions.filter_map(|action: Value| action.get("metaData").cloned());
    all.next().unwrap()["configuration"].clone()
}

fn entry(version: u64) -> String {
    format!("shop/orders/_delta_log/{version:020}.json")
}

/// The setting and what comboi notes beside it.
async fn check(store: &Store, table: &Table, setting: Value, without: Value) {
    let configuration = configuration(store, table).await;
    assert_eq!(configuration[COLUMNS], setting);
    assert_eq!(configuration["comboi.without_bounds"], without);
}

#[tokio::test]
async fn a_column_is_left_out_as_long_as_a_file_lacks_its_bounds() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    let x = Some(vec![Some(1.0), None]);
    commit(&table, file(&staging, 1, Some(vec![None, None])))
        .await
        .unwrap();
    check(&store, &table, Value::Null, json!("[]")).await;
    let second = commit(&table, file(&staging, 2, x)).await.unwrap();
    check(&store, &table, json!("id"), json!(r#"["x"]"#)).await;
    commit(&table, file(&staging, 3, Some(vec![None, None])))
        .await
        .unwrap();
    check(&store, &table, json!("id"), json!(r#"["x"]"#)).await;
    // Another commit, without files.
    let note = Change {
        add: Vec::new(),
        ..file(&staging, 4, Some(vec![None, None]))
    };
    commit(&table, note).await.unwrap();
    check(&store, &table, json!("id"), json!(r#"["x"]"#)).await;
    let replaced = Change {
        remove: Remove::All,
        ..file(&staging, 5, Some(vec![None, None]))
    };
    commit(&table, replaced).await.unwrap();
    check(&store, &table, Value::Null, json!("[]")).await;
    table
        .restore(second.version, &pipeline(), RunId(6), day(6))
        .await
        .unwrap();
    check(&store, &table, json!("id"), json!(r#"["x"]"#)).await;
}

/// What files that are older than a column lack is NULL, and nothing in the log says so.
#[tokio::test]
async fn a_column_that_is_newer_than_a_file_is_left_out() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    commit(&table, file(&staging, 1, None)).await.unwrap();
    check(&store, &table, Value::Null, json!("[]")).await;
    let nulls = Some(vec![None, None]);
    commit(&table, file(&staging, 2, nulls.clone()))
        .await
        .unwrap();
    check(&store, &table, json!("id"), json!(r#"["x"]"#)).await;
    // The file that lacked it goes.
    let first = table.snapshot().await.unwrap().unwrap().files[0]
        .name
        .clone();
    let without_first = Change {
        remove: Remove::Files(vec![first]),
        ..file(&staging, 3, nulls)
    };
    commit(&table, without_first).await.unwrap();
    // Nobody looks through all files for that; it is safe to leave the column out.
    check(&store, &table, json!("id"), json!(r#"["x"]"#)).await;
}

/// Rewrites the metadata of version 0.
async fn rewrite(store: &Store, change: impl Fn(&mut Value)) {
    let entry = get(store.as_ref(), &entry(0)).await.unwrap().unwrap();
    let entry = String::from_utf8(entry.to_vec()).unwrap();
    let lines = entry.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(metadata) = action.get_mut("metaData") {
            change(&mut metadata["configuration"]);
        }
        action.to_string()
    });
    let lines: Vec<String> = lines.collect();
    put(store.as_ref(), &self::entry(0), lines.join("\n")).await;
}

#[tokio::test]
async fn a_table_of_an_older_comboi_is_looked_through_once() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    commit(&table, file(&staging, 1, Some(vec![Some(1.0), None])))
        .await
        .unwrap();
    rewrite(&store, |configuration| {
        let configuration = configuration.as_object_mut().unwrap();
        configuration.remove(COLUMNS).unwrap();
        configuration.remove("comboi.without_bounds").unwrap();
    })
    .await;
    commit(&table, file(&staging, 2, Some(vec![None, None])))
        .await
        .unwrap();
    check(&store, &table, json!("id"), json!(r#"["x"]"#)).await;
}

#[tokio::test]
async fn what_somebody_else_has_set_stays() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    commit(&table, file(&staging, 1, Some(vec![None, None])))
        .await
        .unwrap();
    rewrite(&store, |configuration| {
        configuration[COLUMNS] = "id,x".into();
    })
    .await;
    commit(&table, file(&staging, 2, Some(vec![Some(1.0), None])))
        .await
        .unwrap();
    check(&store, &table, json!("id,x"), json!(r#"["x"]"#)).await;
}
