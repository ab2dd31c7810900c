use comboi_lake::{Change, Error, Remove};
use comboi_project::Columns;
use comboi_test::memory;

use crate::world::{ORDERS, Staging, columns, commit, numbers_as, staging, table_in};

fn only_columns(staging: &Staging, run: u32, columns: Columns) -> Change {
    Change {
        columns,
        add: Vec::new(),
        ..staging.append(run, 0, &[1])
    }
}

/// Commits columns onto nothing and reads them back; else what is said against them.
async fn check(text: &str, expected: &str) {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    let wanted = Columns(vec![comboi_project::Column::new(
        "c",
        text.parse().unwrap(),
    )]);
    let found = match commit(&table, only_columns(&staging, 1, wanted)).await {
        Ok(_) => table.snapshot().await.unwrap().unwrap().columns.0[0]
            .sql_type
            .to_string(),
        Err(Error::Refused { why, .. }) => why,
        Err(error) => panic!("{error}"),
    };
    assert!(found.starts_with(expected), "{text}: {found}");
}

#[tokio::test]
async fn every_type_comes_back_as_people_wrote_it() {
    for same in [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "FLOAT",
        "DOUBLE",
        "DECIMAL(18,2)",
        "DECIMAL(38,38)",
        "VARCHAR",
        "BLOB",
        "BIT",
        "UUID",
        "JSON",
        "DATE",
        "TIME",
        "INTERVAL",
        "TIMESTAMP",
        "TIMESTAMP_S",
        "TIMESTAMP_NS",
        "TIMESTAMP WITH TIME ZONE",
        "ENUM('a', 'it''s')",
        "INTEGER[]",
        "INTEGER[3]",
        r#"STRUCT(a INTEGER, "b c" UUID)"#,
        "MAP(VARCHAR, STRUCT(x HUGEINT, y TIMESTAMP[])[])",
    ] {
        check(same, same).await;
    }
    check(
        "UNION(a INTEGER, b VARCHAR)",
        "column `c`: the lake can't keep UNION",
    )
    .await;
}

#[tokio::test]
async fn names_that_other_readers_stumble_over_are_refused() {
    for bad in ["a b", "a,b", "a;b", "{a", "a)", "a=b", "a\tb", ""] {
        let (table, staging) = (table_in(memory(), ORDERS), staging());
        let mut wanted = columns("id BIGINT");
        wanted.0[0].name = bad.to_owned();
        let answer = commit(&table, only_columns(&staging, 1, wanted))
            .await
            .unwrap_err();
        assert!(matches!(answer, Error::Refused { .. }), "{bad}: {answer}");
    }
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    let answer = commit(
        &table,
        only_columns(&staging, 1, columns("id BIGINT; ID BIGINT")),
    )
    .await
    .unwrap_err();
    assert!(
        answer.to_string().contains("two columns of the name `ID`"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_column_may_come_but_not_go_or_change_while_old_files_stay() {
    for (now, refused) in [
        ("id BIGINT; more VARCHAR", ""),
        ("more VARCHAR; id BIGINT", ""),
        (
            "id UINTEGER",
            "column `id` is BIGINT in files that stay and UINTEGER in the change",
        ),
        (
            "id DOUBLE",
            "column `id` is BIGINT in files that stay and DOUBLE in the change",
        ),
        ("more VARCHAR", "files that stay have a column `id`"),
    ] {
        let (table, staging) = (table_in(memory(), ORDERS), staging());
        commit(&table, staging.append(1, 0, &[1])).await.unwrap();
        let change = only_columns(&staging, 2, columns(now));
        let found = match commit(&table, change.clone()).await {
            Ok(committed) => {
                assert_eq!(committed.columns, columns(now));
                String::new()
            }
            Err(error) => error.to_string(),
        };
        assert!(
            found.contains(refused) && found.is_empty() == refused.is_empty(),
            "{now}: {found}"
        );
        if !refused.is_empty() {
            let replaced = commit(
                &table,
                Change {
                    remove: Remove::All,
                    ..change
                },
            )
            .await
            .unwrap();
            assert_eq!(
                replaced.columns,
                columns(now),
                "nothing stays, so anything goes"
            );
        }
    }
}

#[tokio::test]
async fn a_narrower_type_may_come_to_be_seen_as_what_is_stored() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    let mut first = staging.append(1, 0, &[1]);
    first.columns = columns("id UINTEGER");
    commit(&table, first).await.unwrap();
    let second = commit(&table, staging.append(2, 0, &[-1])).await.unwrap();
    assert_eq!(second.columns, columns("id BIGINT"));
}

#[tokio::test]
async fn a_file_that_is_not_what_it_is_said_to_be_is_refused() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    let torn = staging.path().join("torn.parquet");
    let whole = std::fs::read(staging.numbers(&[1, 2, 3])).unwrap();
    std::fs::write(&torn, &whole[..whole.len() / 2]).unwrap();
    let two = numbers_as(&staging.path().join("two.parquet"), &["id", "more"], &[1]);
    for (file, wanted, expected) in [
        (torn, "id BIGINT", "a staged file is no Parquet file"),
        (
            two.clone(),
            "id BIGINT",
            "the file has a column `more` that the change does not name",
        ),
        (
            two.clone(),
            "id BIGINT; more BIGINT; most BIGINT",
            "the file has no column `most`",
        ),
        (
            two,
            "id BIGINT; more INTEGER",
            "column `more` is BIGINT in the file, where the lake keeps INTEGER",
        ),
    ] {
        let mut change = staging.append(1, 0, &[1]);
        (change.add, change.columns) = (vec![file], columns(wanted));
        let answer = commit(&table, change).await.unwrap_err();
        assert!(
            matches!(answer, Error::Refused { .. }) && answer.to_string().contains(expected),
            "{answer}"
        );
    }
    assert!(table.snapshot().await.unwrap().is_none());
    let mut change = staging.append(1, 0, &[1]);
    change.add = vec![staging.path().join("nowhere.parquet")];
    assert!(matches!(
        commit(&table, change).await.unwrap_err(),
        Error::Unavailable { .. }
    ));
}

#[tokio::test]
async fn what_a_source_calls_fields_comes_back() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    let of = "STRUCT(a STRUCT(x_y BIGINT)[][], b MAP(VARCHAR, STRUCT(c BIGINT)))";
    let mut wanted = comboi_project::Column::new("c", of.parse().unwrap()).of_source("C d");
    let path = |text: &str| text.split('/').map(str::to_owned).collect();
    wanted.field_names = [("a", "a"), ("a/x_y", "x y")]
        .map(|(names, of)| (path(names), of.to_owned()))
        .into();
    let change = only_columns(&staging, 1, Columns(vec![wanted.clone()]));
    commit(&table, change).await.unwrap();
    let found = table.snapshot().await.unwrap().unwrap().columns;
    assert_eq!(found.0, [wanted]);
}
