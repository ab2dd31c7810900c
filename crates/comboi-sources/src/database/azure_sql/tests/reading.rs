//! Rows, windows, snapshots, parts.

use comboi_test::tds::{Table, Type, Value};

use super::super::dialect::Sql;
use super::*;
use crate::database::{Cursor, Dialect as _, OwnCursor, Part};

fn window(column: &str, of: &str, from: Option<&str>, below: Option<&str>) -> Filter {
    let value = |it: &str| vec![it.to_owned()];
    Filter::Window {
        cursor: Cursor {
            columns: vec![(column.to_owned(), of.to_owned())],
        },
        from: from.map(value),
        below: below.map(value),
        nulls: false,
        lowest: false,
    }
}

async fn one(connection: &mut dyn Connection, sql: &str) -> Option<String> {
    connection
        .texts(sql)
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .next()
        .flatten()
}

#[test]
fn rows_come_in_batches_over_many_packets() {
    let (_, server) = numbered(40_000);
    let kept = all_of(&server, "t", &[]).unwrap();
    let batches: Vec<usize> = kept.0.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(batches, [16_384, 16_384, 7_232]);
    let told = kept.told();
    assert_eq!(
        (told[0].as_str(), told[39_999].as_str()),
        ("1 | note 1", "40000 | note 40000")
    );
    assert_eq!(
        server
            .logins()
            .first()
            .map(|it| (it.packet_size, it.application.clone())),
        Some((16_384, "comboi".into()))
    );
}

#[test]
fn a_server_that_wants_small_packets_gets_them() {
    let model = Model::new([Table::new("t", &[("id", Type::Int)])]);
    let transaction = model.begin();
    for id in 0..3000 {
        transaction.write("t", vec![Value::Int(id)]);
    }
    transaction.commit();
    let server = Tds::with_packets(model, 512);
    assert_eq!(all_of(&server, "t", &[]).unwrap().rows(), 3000);
}

#[test]
fn nothing_is_a_batch_without_rows() {
    let (_, server) = numbered(0);
    let kept = all_of(&server, "t", &[]).unwrap();
    assert_eq!(kept.0.len(), 1);
    assert_eq!(kept.rows(), 0);
}

#[test]
fn a_query_is_wrapped() {
    let (_, server) = numbered(9);
    let database = reached(&server.dsn(), Arc::new(OneToken));
    run(async {
        let mut connection = database.connect().await.unwrap();
        let query = Relation::Query(
            "SELECT id AS n, note FROM t WHERE id > 7 ORDER BY id -- the last ones\n;".into(),
        );
        let kept = read(
            connection.as_mut(),
            &database,
            &query,
            &BTreeMap::new(),
            &Filter::All,
        )
        .await
        .unwrap();
        assert_eq!(kept.told(), ["8 | note 8", "9 | note 9"]);
        let sql = database
            .dialect()
            .count(&query, &window("n", "int", Some("9"), None));
        assert_eq!(one(connection.as_mut(), &sql).await.as_deref(), Some("1"));
    });
}

#[test]
fn what_is_not_there_is_said_and_the_connection_stays() {
    let (_, server) = numbered(3);
    let database = reached(&server.dsn(), Arc::new(OneToken));
    run(async {
        let mut connection = database.connect().await.unwrap();
        let mut refused = async |relation: Relation, said: &[(&str, &str)]| {
            let said = said
                .iter()
                .map(|(name, of)| ((*name).to_owned(), of.parse().unwrap()))
                .collect();
            let columns = connection.columns(&relation, &said).await;
            columns.unwrap_err().to_string()
        };
        let table = |name: &str| Relation::Table(name.into());
        let query = |text: &str| Relation::Query(text.into());
        assert_eq!(
            refused(table("sales.orders"), &[]).await,
            "could not understand what is to be read: Invalid object name 'orders' (error 208) (`comboi discover` lists the tables that there are); nothing of it was loaded"
        );
        assert_eq!(
            refused(query("SELECT nope FROM t"), &[]).await,
            "could not understand what is to be read: Invalid column name 'nope' (error 207) (`comboi discover` lists the columns that there are); nothing of it was loaded"
        );
        assert_eq!(
            refused(query("SELECT 1; SELECT 2"), &[]).await,
            "the query holds more than one statement; write one SELECT"
        );
        assert_eq!(
            refused(query("DELETE FROM t"), &[]).await,
            "the query writes or runs something, and comboi only reads; write one SELECT"
        );
        let unknown = connection.texts("SELECT something(1)").await.unwrap_err();
        assert!(matches!(unknown, Error::Refused { .. }), "{unknown}");
        assert_eq!(
            one(connection.as_mut(), "SELECT CONVERT(varchar(5), 7)")
                .await
                .as_deref(),
            Some("7")
        );
    });
}

#[test]
fn an_exact_cursor_finds_the_rows_it_names() {
    let (model, server) = served([Table::new(
        "t",
        &[
            ("id", Type::Int),
            ("at", Type::DateTime2(7)),
            ("zoned", Type::DateTimeOffset(7)),
            ("rv", Type::Rowversion),
        ],
    )]);
    let begin = model.now();
    for id in 0..5 {
        let transaction = model.begin();
        transaction.write(
            "t",
            vec![
                Value::Int(id),
                Value::DateTime2(begin + id),
                Value::DateTimeOffset(begin + id, 90),
                Value::Null,
            ],
        );
        transaction.commit();
    }
    let database = reached(&server.dsn(), Arc::new(OneToken));
    run(async {
        let mut connection = database.connect().await.unwrap();
        let table = Relation::Table("t".into());
        for (column, of, greatest) in [
            ("at", "datetime2(7)", "2026-03-01T12:00:00.0000004"),
            (
                "zoned",
                "datetimeoffset(7)",
                "2026-03-01T13:30:00.0000004+01:30",
            ),
            ("rv", "rowversion", "0x00000000000007D5"),
            ("id", "int", "4"),
        ] {
            let cursor = Cursor {
                columns: vec![(column.into(), of.into())],
            };
            let asked = one(
                connection.as_mut(),
                &Sql.greatest(&table, &cursor, &Filter::All),
            )
            .await;
            assert_eq!(asked.as_deref(), Some(greatest));
            // A hundred nanoseconds more or less make a difference.
            let count = Sql.count(&table, &window(column, of, Some(greatest), None));
            assert_eq!(
                one(connection.as_mut(), &count).await.as_deref(),
                Some("1"),
                "{column}"
            );
            let count = Sql.count(&table, &window(column, of, None, Some(greatest)));
            assert_eq!(
                one(connection.as_mut(), &count).await.as_deref(),
                Some("4"),
                "{column}"
            );
        }
    });
}

#[test]
fn a_frozen_connection_sees_one_state() {
    for has_snapshots in [true, false] {
        let (model, server) = numbered(2);
        model.set_snapshots(has_snapshots);
        let database = reached(&server.dsn(), Arc::new(OneToken));
        run(async {
            let mut connection = database.connect().await.unwrap();
            assert_eq!(connection.freeze(None).await.unwrap(), None);
            let count = Sql.count(&Relation::Table("t".into()), &Filter::All);
            assert_eq!(one(connection.as_mut(), &count).await.as_deref(), Some("2"));
            let transaction = model.begin();
            transaction.write("t", vec![Value::Int(3), Value::Null]);
            transaction.commit();
            let seen = one(connection.as_mut(), &count).await;
            assert_eq!(seen.as_deref(), Some(if has_snapshots { "2" } else { "3" }));
        });
    }
}

#[test]
fn row_versions_are_bounded_by_open_transactions() {
    let (model, server) = served([Table::new(
        "t",
        &[("id", Type::Int), ("rv", Type::Rowversion)],
    )]);
    let database = reached(&server.dsn(), Arc::new(OneToken));
    let late = model.begin();
    late.write("t", vec![Value::Int(1), Value::Null]);
    let early = model.begin();
    early.write("t", vec![Value::Int(2), Value::Null]);
    early.commit();
    run(async {
        let mut connection = database.connect().await.unwrap();
        let bound = Sql.bound(OwnCursor::Rowversion).unwrap();
        assert_eq!(Sql.bound(OwnCursor::Xmin), None);
        let mut told = async || connection.texts(&bound).await.unwrap().remove(0);
        let row = |bound: &str, held: &str| [Some(bound.to_owned()), Some(held.to_owned())];
        assert_eq!(told().await, row("0x00000000000007D1", "t"));
        late.commit();
        assert_eq!(told().await, row("0x00000000000007D3", "f"));
    });
}

#[test]
fn open_transactions_are_told_if_the_login_may_know() {
    let (model, server) = numbered(0);
    let database = reached(&server.dsn(), Arc::new(OneToken));
    run(async {
        let mut connection = database.connect().await.unwrap();
        let open = model.begin();
        model.advance(10_000_000);
        let mut told = async || {
            let row = connection
                .texts(&Sql.open_transactions())
                .await
                .unwrap()
                .remove(0);
            row.into_iter()
                .map(|it| it.unwrap_or("-".into()))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(told().await, "1772366401000000 1772366400000000 t - - - -");
        model.set_shows_transactions(false);
        assert_eq!(told().await, "1772366401000000 - f - - - -");
        model.set_shows_transactions(true);
        drop(open);
        assert_eq!(told().await, "1772366401000000 - t - - - -");
        let writes = model.begin();
        writes.write("t", vec![Value::Int(1), Value::Text("x".into())]);
        assert_eq!(
            told().await,
            "1772366401000000 1772366401000000 t - - - 1772366401000000"
        );
    });
}

#[test]
fn a_table_is_divided_by_what_it_is_clustered_by() {
    let (_, server) = numbered(100);
    let database = reached(&server.dsn(), Arc::new(OneToken));
    run(async {
        let mut connection = database.connect().await.unwrap();
        let table = Relation::Table("t".into());
        let columns = connection.columns(&table, &BTreeMap::new()).await.unwrap();
        let all = Sql.select(&table, &columns, &Filter::All);
        assert_eq!(connection.estimate(&all).await.unwrap(), Some(100));
        let some = Sql.select(&table, &columns, &window("id", "int", Some("9"), None));
        assert_eq!(connection.estimate(&some).await.unwrap(), None);
        // A number that may change would let a row be in two parts, or none.
        assert_eq!(
            connection.parts(&table, &columns, &[], 4).await.unwrap(),
            [Part::All]
        );
        let parts = connection
            .parts(&table, &columns, &["ID".into()], 4)
            .await
            .unwrap();
        assert_eq!(parts.len(), 4);
        let mut ids = Vec::new();
        for part in parts {
            let kept = read(
                connection.as_mut(),
                &database,
                &table,
                &BTreeMap::new(),
                &Filter::Part(part),
            )
            .await
            .unwrap();
            assert_eq!(
                kept.rows(),
                if ids.len() < 72 {
                    24 + usize::from(ids.is_empty())
                } else {
                    27
                }
            );
            ids.extend(kept.told());
        }
        assert_eq!(ids.len(), 100);
    });
}

#[test]
fn a_server_says_who_it_is_and_what_it_has() {
    let (_, server) = served([Table::new(
        "orders",
        &[
            ("id", Type::Int),
            ("amount", Type::Money),
            ("rv", Type::Rowversion),
        ],
    )]);
    let database = reached(&server.dsn(), Arc::new(OneToken));
    run(async {
        let answer = crate::database::ask(&database).await.unwrap();
        assert_eq!(
            (
                answer.version.as_str(),
                answer.database.as_str(),
                answer.login.as_str(),
                answer.sees_transactions
            ),
            ("SQL Server 16.0.4000", "shop", "reader", true)
        );
        let found = crate::database::discover(&database).await.unwrap();
        let yaml = crate::database::tables_yaml(&found);
        assert_eq!(
            yaml,
            "- name: orders\n  table: \"dbo.orders\"\n  primary_key: \"id\"\n  incremental: rowversion\n  incremental_column: \"rv\"\n"
        );
    });
}
