use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use comboi_lake::{Change, Error};
use comboi_project::RunId;
use comboi_test::{memory, names};
use deltalake::arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use deltalake::arrow::datatypes::{DataType, Field, Int32Type};
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::file::properties::WriterProperties;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

use crate::world::{ORDERS, columns, commit, parquet, pipeline, rows, staging, table_in};

fn key(version: u64) -> Key {
    Key::parse(format!("shop/orders/_delta_log/{version:020}.json")).unwrap()
}

async fn entry(store: &dyn ObjectStore, version: u64) -> Vec<Value> {
    let bytes = store
        .get(&key(version))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    String::from_utf8(bytes.to_vec())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn action<'a>(entry: &'a [Value], kind: &str) -> &'a Value {
    entry.iter().find_map(|action| action.get(kind)).unwrap()
}

#[tokio::test]
async fn a_new_table_asks_no_more_of_its_readers_than_the_oldest_know() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    commit(&table, staging.append(3, 1, &[1])).await.unwrap();
    let entry = entry(store.as_ref(), 0).await;
    assert_eq!(
        action(&entry, "protocol").to_string(),
        r#"{"minReaderVersion":1,"minWriterVersion":2}"#
    );
    assert_eq!(action(&entry, "txn")["appId"], "shop");
    assert_eq!(action(&entry, "txn")["version"], 3 * 1_048_576 + 1);
    let metadata = action(&entry, "metaData");
    assert_eq!(metadata["configuration"]["comboi.checkpoint"], "1");
    assert_eq!(metadata["configuration"]["comboi.format"], "1");
    assert!(
        !metadata["configuration"]
            .as_object()
            .unwrap()
            .keys()
            .any(|key| key.starts_with("delta.")),
        "{metadata}"
    );
    assert_eq!(
        metadata["schemaString"].as_str().unwrap(),
        r#"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{"comboi.type":"BIGINT"}}]}"#
    );
    assert_eq!(
        action(&entry, "add")["stats"],
        r#"{"numRecords":1,"minValues":{"id":1},"maxValues":{"id":1},"nullCount":{"id":0}}"#
    );
}

#[tokio::test]
async fn a_table_stays_the_same_table() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    commit(&table, staging.append(2, 0, &[2])).await.unwrap();
    let (first, second) = (
        entry(store.as_ref(), 0).await,
        entry(store.as_ref(), 1).await,
    );
    assert_eq!(
        action(&first, "metaData")["id"],
        action(&second, "metaData")["id"]
    );
    assert_eq!(
        action(&first, "metaData")["createdTime"],
        action(&second, "metaData")["createdTime"]
    );
    assert!(second.iter().all(|action| action.get("protocol").is_none()));
}

/// Parquet's bounds say nothing of NaN, and DuckDB alone writes none for numbers among which it is.
#[tokio::test]
async fn numbers_have_bounds_in_the_log_where_none_of_them_can_be_nan() {
    for (writer, bounds) in [("DuckDB version v1.5.5", true), ("parquet-rs", false)] {
        let (store, staging) = (memory(), staging());
        let path = staging.path().join("x.parquet");
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(-0.5), None, Some(1e300)]));
        let batch = RecordBatch::try_from_iter([("x", numbers)]).unwrap();
        let properties = WriterProperties::builder().set_created_by(writer.to_owned());
        let file = File::create(&path).unwrap();
        let mut to = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
        to.write(&batch).unwrap();
        to.close().unwrap();
        let mut change = staging.append(1, 0, &[1]);
        change.columns = columns("x DOUBLE");
        change.add = vec![path];
        commit(&table_in(Arc::clone(&store), ORDERS), change)
            .await
            .unwrap();
        let entry = entry(store.as_ref(), 0).await;
        let stats = action(&entry, "add")["stats"].as_str().unwrap().to_owned();
        let setting = &action(&entry, "metaData")["configuration"];
        let setting = setting["delta.dataSkippingNumIndexedCols"].as_str();
        let expected = match bounds {
            true => {
                r#"{"numRecords":3,"minValues":{"x":-0.5},"maxValues":{"x":1e+300},"nullCount":{"x":1}}"#
            }
            false => r#"{"numRecords":3,"minValues":{},"maxValues":{},"nullCount":{"x":1}}"#,
        };
        assert_eq!(stats, expected);
        assert_eq!(setting, (!bounds).then_some("0"));
    }
}

#[tokio::test]
async fn the_log_says_exactly_what_is_in_a_file() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    let big = 99_999_999_999_999_999_999_999_999_999_999_999_999;
    let inner = StructArray::from(vec![(
        Arc::new(Field::new("x", DataType::Float64, true)),
        Arc::new(Float64Array::from(vec![Some(-0.5), None, Some(1e300)])) as ArrayRef,
    )]);
    let batch = RecordBatch::try_from_iter([
        (
            "huge",
            Arc::new(
                Decimal128Array::from(vec![Some(-big), None, Some(big)])
                    .with_precision_and_scale(38, 0)
                    .unwrap(),
            ) as ArrayRef,
        ),
        (
            "price",
            Arc::new(
                Decimal128Array::from(vec![5, -12_345, 99])
                    .with_precision_and_scale(18, 2)
                    .unwrap(),
            ),
        ),
        (
            "text",
            Arc::new(StringArray::from(vec![
                "b".repeat(40),
                "a".into(),
                "\"é".into(),
            ])),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(vec![1, 2_001, 1_001]).with_timezone("UTC")),
        ),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), None, None])),
        ),
        (
            "nan",
            Arc::new(Float64Array::from(vec![f64::INFINITY, 0.0, 1.0])),
        ),
        ("none", Arc::new(StringArray::from(vec![None::<&str>; 3]))),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
                Some(
                    vec![Some(1)]
                );
                3
            ])),
        ),
        ("inner", Arc::new(inner)),
    ]);
    let mut change = staging.append(1, 0, &[1]);
    change.columns = columns(
        "huge HUGEINT; price DECIMAL(18,2); text VARCHAR; at TIMESTAMP; flag BOOLEAN; nan DOUBLE; none UUID; list INTEGER[]; inner STRUCT(x DOUBLE)",
    );
    change.add = vec![parquet(&staging.path().join("all.parquet"), batch.unwrap())];
    commit(&table, change).await.unwrap();
    let stats = action(&entry(store.as_ref(), 0).await, "add")["stats"]
        .as_str()
        .unwrap()
        .to_owned();
    let above = format!("{}\u{10ffff}", "b".repeat(32));
    assert_eq!(
        stats,
        [
            r#"{"numRecords":3,"#,
            r#""minValues":{"huge":-99999999999999999999999999999999999999,"price":-123.45,"text":"\"é","at":"1970-01-01T00:00:00.000Z","flag":true},"#,
            &format!(r#""maxValues":{{"huge":99999999999999999999999999999999999999,"price":0.99,"text":"{above}","at":"1970-01-01T00:00:00.003Z","flag":true}},"#),
            r#""nullCount":{"huge":1,"price":0,"text":0,"at":0,"flag":2,"nan":0,"none":3,"inner":{"x":1}}}"#,
        ]
        .concat()
    );
    assert_eq!(table.snapshot().await.unwrap().unwrap().row_count(), 3);
}

#[tokio::test]
async fn the_checkpoint_and_the_fence_outlive_the_log() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    let other = Change {
        pipeline: "other".parse().unwrap(),
        properties: [("build".into(), "x".into())].into(),
        ..staging.append(7, 3, &[0])
    };
    commit(&table, other).await.unwrap();
    for run in 1..=23 {
        let mut change = staging.append(run, 0, &[i64::from(run)]);
        change.properties.clear();
        if run == 1 {
            change
                .properties
                .insert("checkpoint".into(), "early".into());
        }
        // In the year 2200 everything that was written today is past its time.
        change.at = chrono::DateTime::from_timestamp(7_258_118_400, 0).unwrap();
        commit(&table, change).await.unwrap();
    }
    let log: Vec<String> = names(store.as_ref())
        .await
        .into_iter()
        .filter_map(|name| {
            name.strip_prefix("shop/orders/_delta_log/")
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(
        log,
        [
            "00000000000000000020.checkpoint.parquet",
            "00000000000000000020.json",
            "00000000000000000021.json",
            "00000000000000000022.json",
            "00000000000000000023.json",
            "_last_checkpoint"
        ]
    );
    let now = table_in(Arc::clone(&store), ORDERS)
        .snapshot()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        now.properties,
        [
            ("build".into(), "x".into()),
            ("checkpoint".into(), "early".into())
        ]
        .into()
    );
    assert_eq!(now.last_commit(&pipeline()), Some((RunId(23), 0)));
    assert_eq!(
        now.last_commit(&"other".parse().unwrap()),
        Some((RunId(7), 3))
    );
    assert_eq!((now.row_count(), now.files.len()), (24, 24));
    let state = deltalake::DeltaTableBuilder::from_url("memory:///shop/orders/".parse().unwrap())
        .unwrap()
        .with_storage_backend(
            Arc::clone(&store),
            "memory:///shop/orders/".parse().unwrap(),
        )
        .load()
        .await
        .unwrap();
    let logged = state
        .snapshot()
        .unwrap()
        .transaction_version(state.log_store().as_ref(), "other")
        .await
        .unwrap();
    assert_eq!(
        logged,
        Some(7 * 1_048_576 + 3),
        "Delta's own fence is there too"
    );
    let gone = table.snapshot_at(5).await.unwrap_err();
    assert!(
        matches!(
            gone,
            Error::NoSuchVersion {
                version: 5,
                oldest: 20,
                newest: 23,
                ..
            }
        ),
        "{gone}"
    );
    assert_eq!(table.history(99).await.unwrap().len(), 4);
}

async fn damaged(spoil: impl AsyncFn(&dyn ObjectStore), expected: &str) {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    for run in 1..=4 {
        commit(&table, staging.append(run, 0, &[i64::from(run)]))
            .await
            .unwrap();
    }
    spoil(store.as_ref()).await;
    let scratch = tempfile::tempdir().unwrap();
    let answer = match table.snapshot().await {
        Ok(snapshot) => table
            .local_files(&snapshot.unwrap(), scratch.path())
            .await
            .unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(answer, Error::Damaged { .. }), "{answer:?}");
    let text = answer.to_string();
    let masked: Vec<String> = text
        .split('`')
        .map(|part| {
            if part.starts_with("part-") {
                "PART".into()
            } else {
                part.to_owned()
            }
        })
        .collect();
    assert_eq!(
        masked.join("`").split("; ").next().unwrap(),
        format!("`bronze/shop/orders` is damaged: {expected}")
    );
}

async fn put(store: &dyn ObjectStore, version: u64, bytes: &'static [u8]) {
    store
        .put(&key(version), Bytes::from_static(bytes).into())
        .await
        .unwrap();
}

#[tokio::test]
async fn damage_is_named() {
    let gap = "the log has no entry for version 2 (`_delta_log/00000000000000000002.json`)";
    damaged(async |store| store.delete(&key(2)).await.unwrap(), gap).await;
    let first = "the log has no entry for version 0 (`_delta_log/00000000000000000000.json`)";
    damaged(async |store| store.delete(&key(0)).await.unwrap(), first).await;
    let torn = "line 1 of the log entry can't be read (`_delta_log/00000000000000000001.json`)";
    damaged(
        async |store| put(store, 1, br#"{"commitInfo":{"times"#).await,
        torn,
    )
    .await;
    damaged(async |store| put(store, 1, b"\0\0\0\0").await, torn).await;
    damaged(async |store| put(store, 1, b"").await, torn).await;
    let part = async |store: &dyn ObjectStore| {
        let name = names(store)
            .await
            .into_iter()
            .find(|name| name.contains("part-shop-000000000002"))
            .unwrap();
        Key::parse(name).unwrap()
    };
    damaged(
        async |store| store.delete(&part(store).await).await.unwrap(),
        "a file is missing (`PART`)",
    )
    .await;
    damaged(
        async |store| {
            store
                .put(&part(store).await, Bytes::from_static(b"PAR1").into())
                .await
                .unwrap();
        },
        "a file has 4 bytes instead of 466 (`PART`)",
    )
    .await;
}

#[tokio::test]
async fn a_lost_checkpoint_is_named_with_the_way_out() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    for run in 1..=13 {
        commit(&table, staging.append(run, 0, &[i64::from(run)]))
            .await
            .unwrap();
    }
    let checkpoint =
        Key::parse("shop/orders/_delta_log/00000000000000000010.checkpoint.parquet").unwrap();
    store.delete(&checkpoint).await.unwrap();
    let answer = table.snapshot().await.unwrap_err().to_string();
    let expected = "the checkpoint of the log is missing (`_delta_log/00000000000000000010.checkpoint.parquet`); `comboi repair` takes it away";
    assert!(answer.contains(expected), "{answer}");
    assert!(table.forget_checkpoints().await.unwrap());
    assert_eq!(rows(&table).await, "1 2 3 4 5 6 7 8 9 10 11 12 13");
}

#[tokio::test]
async fn no_line_of_the_log_can_be_lost_unnoticed() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    commit(&table, staging.replace(2, &[2, 3])).await.unwrap();
    commit(&table, staging.append(3, 0, &[4])).await.unwrap();
    for version in [1, 2] {
        let entry = store
            .get(&key(version))
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        let lines: Vec<&[u8]> = entry.split_inclusive(|byte| *byte == b'\n').collect();
        for left in 0..lines.len() {
            store
                .put(&key(version), lines[..left].concat().into())
                .await
                .unwrap();
            let answer = table.snapshot().await;
            assert!(
                version == 1 || table.latest().await.is_err(),
                "{left} lines are enough"
            );
            assert!(
                matches!(answer, Err(Error::Damaged { .. })),
                "{left} lines of version {version}: {answer:?}"
            );
        }
        store.put(&key(version), entry.into()).await.unwrap();
    }
    assert_eq!(rows(&table).await, "2 3 4");
}

async fn newer(protocol: &str, metadata: &str, expected: &str) {
    let store = memory();
    let schema = r#""schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}""#;
    let metadata = format!(
        r#"{{"metaData":{{"id":"x","format":{{"provider":"parquet","options":{{}}}},{schema},"createdTime":0,{metadata}}}}}"#
    );
    let text = format!("{{\"protocol\":{protocol}}}\n{metadata}\n");
    store.put(&key(0), Bytes::from(text).into()).await.unwrap();
    let table = table_in(store, ORDERS);
    let looked = table.latest().await.map_err(|error| error.to_string());
    let read = table.snapshot().await.map(|read| read.map(Into::into));
    assert_eq!(looked, read.map_err(|error| error.to_string()));
    let told = match table.snapshot().await {
        Ok(snapshot) => format!("{:?}", snapshot.unwrap().columns.0[0].sql_type),
        Err(Error::Newer { what, .. }) => what,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(told, expected);
    if expected == "BigInt" {
        assert_eq!(rows(&table).await, "");
    }
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_left_alone() {
    let plain = r#""partitionColumns":[],"configuration":{}"#;
    let old = r#"{"minReaderVersion":1,"minWriterVersion":2}"#;
    newer(old, plain, "BigInt").await;
    newer(
        r#"{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}"#,
        plain,
        "it needs a Delta reader 3 and writer 7 (deletionVectors), where comboi keeps to reader 1 and writer 2",
    )
    .await;
    newer(
        r#"{"minReaderVersion":1,"minWriterVersion":4}"#,
        plain,
        "it needs a Delta reader 1 and writer 4, where comboi keeps to reader 1 and writer 2",
    )
    .await;
    newer(
        old,
        r#""partitionColumns":["id"],"configuration":{}"#,
        "it is partitioned, which comboi does not read",
    )
    .await;
    newer(
        old,
        r#""partitionColumns":[],"configuration":{"comboi.format":"2"}"#,
        "comboi's format 2 is not known here, only up to 1",
    )
    .await;
}
