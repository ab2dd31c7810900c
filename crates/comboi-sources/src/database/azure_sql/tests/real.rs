//! The same against a real server: `COMBOI_TEST_MSSQL_DSN` names it. Nothing is created there: values come from queries.
//!
//! Without it these tests are ignored, which a run shows; `scripts/test` says so in its last lines.

use super::super::dialect::Sql;
use super::*;
use crate::database::{Cursor, Dialect as _, OwnCursor};

/// Does something with a connection to the real server.
fn on_it(work: impl AsyncFnOnce(&AzureSql, &mut dyn Connection)) {
    let database = reached(
        &comboi_test::service("COMBOI_TEST_MSSQL_DSN"),
        Arc::new(OneToken),
    );
    run(async {
        let mut connection = database.connect().await.unwrap();
        work(&database, connection.as_mut()).await;
    });
}

/// Expressions, each a column of its own query, and what is read of them.
const VALUES: [(&str, &str, &str); 34] = [
    ("CAST(1 AS bit)", "", "true"),
    ("CAST(255 AS tinyint)", "", "255"),
    (
        "CAST(-9223372036854775808 AS bigint)",
        "",
        "-9223372036854775808",
    ),
    (
        "CAST('-99999999999999999999999999999999999999' AS decimal(38,0))",
        "",
        "-99999999999999999999999999999999999999",
    ),
    ("CAST('0.0000000001' AS decimal(38,10))", "", "0.0000000001"),
    (
        "CAST('922337203685477.5807' AS money)",
        "",
        "922337203685477.5807",
    ),
    (
        "CAST('-922337203685477.5808' AS money)",
        "VARCHAR",
        "-922337203685477.5808",
    ),
    ("CAST('-214748.3648' AS smallmoney)", "", "-214748.3648"),
    ("CAST(0.1 AS float)", "", "1e-1"),
    (
        "CAST('1.7976931348623157E308' AS float)",
        "VARCHAR",
        "1.7976931348623157e+308",
    ),
    ("CAST('0001-01-01' AS date)", "", "0001-01-01"),
    ("CAST('9999-12-31' AS date)", "VARCHAR", "9999-12-31"),
    ("CAST('23:59:59.999' AS time(3))", "", "23:59:59.999"),
    ("CAST('23:59:59.9999999' AS time)", "", "23:59:59.9999999"),
    (
        "CAST('1753-01-01T00:00:00.003' AS datetime)",
        "",
        "1753-01-01 00:00:00.003",
    ),
    (
        "CAST('9999-12-31T23:59:59.997' AS datetime)",
        "VARCHAR",
        "9999-12-31 23:59:59.997",
    ),
    (
        "CAST('2079-06-06T23:59:00' AS smalldatetime)",
        "",
        "2079-06-06 23:59:00",
    ),
    (
        "CAST('9999-12-31T23:59:59.9999999' AS datetime2)",
        "",
        "9999-12-31 23:59:59.9999999",
    ),
    (
        "CAST('9999-12-31T23:59:59.9999999' AS datetime2)",
        "VARCHAR",
        "9999-12-31 23:59:59.9999999",
    ),
    (
        "CAST('2026-03-01T12:00:00.0000001+02:00' AS datetimeoffset)",
        "",
        "2026-03-01 12:00:00.0000001 +02:00",
    ),
    (
        "CAST('2026-03-01T12:00:00.0000001+02:00' AS datetimeoffset)",
        "VARCHAR",
        "2026-03-01 12:00:00.0000001 +02:00",
    ),
    (
        "CAST('2026-03-01T12:00:00.123+02:00' AS datetimeoffset(3))",
        "",
        "2026-03-01 10:00:00.123",
    ),
    (
        "CAST('00112233-4455-6677-8899-AABBCCDDEEFF' AS uniqueidentifier)",
        "",
        "00112233-4455-6677-8899-aabbccddeeff",
    ),
    ("CAST(N'naïve 😀' AS nvarchar(max))", "", "naïve 😀"),
    (
        "CAST(N'naïve' COLLATE Latin1_General_CI_AS AS varchar(20))",
        "",
        "naïve",
    ),
    (
        "CAST(N'日本' COLLATE Japanese_CI_AS AS varchar(20))",
        "",
        "日本",
    ),
    ("CAST('<a>é</a>' AS xml)", "", "<a>é</a>"),
    ("CAST(0x00FF0A AS varbinary(max))", "", "00ff0a"),
    ("CAST(0x00FF0A AS varbinary(10))", "VARCHAR", "0x00FF0A"),
    ("CAST(CAST('1.2345' AS money) AS sql_variant)", "", "1.2345"),
    (
        "CAST(CAST('2026-03-01T12:00:00.1234567' AS datetime2) AS sql_variant)",
        "",
        "2026-03-01 12:00:00.1234567",
    ),
    ("CAST('/1/3/' AS hierarchyid)", "", "/1/3/"),
    (
        "geography::Point(47.65, -122.35, 4326)",
        "",
        "SRID=4326;POINT (-122.35 47.65)",
    ),
    (
        "CAST(0x00000000000007D1 AS rowversion)",
        "",
        "0x00000000000007D1",
    ),
];

#[test]
#[ignore = "needs a SQL Server: COMBOI_TEST_MSSQL_DSN"]
fn values_of_a_real_server() {
    on_it(async |database, connection| {
        for (expression, said, expected) in VALUES {
            let query = Relation::Query(format!(
                "SELECT {expression} AS c UNION ALL SELECT NULL -- and nothing\n;"
            ));
            let said = if said.is_empty() {
                BTreeMap::new()
            } else {
                BTreeMap::from([("c".to_owned(), said.parse().unwrap())])
            };
            let kept = read(connection, database, &query, &said, &Filter::All).await;
            assert_eq!(kept.unwrap().told(), [expected, "NULL"], "{expression}");
        }
    });
}

#[test]
#[ignore = "needs a SQL Server: COMBOI_TEST_MSSQL_DSN"]
fn questions_to_a_real_server() {
    on_it(async |database, connection| {
        let mut ask = async |sql: String| connection.texts(&sql).await.unwrap().remove(0);
        let row = ask(Sql.open_transactions()).await;
        assert!(row[0].as_ref().unwrap().parse::<i64>().unwrap() > 1_700_000_000_000_000);
        assert!(matches!(row[2].as_deref(), Some("t" | "f")));
        let row = ask(Sql.bound(OwnCursor::Rowversion).unwrap()).await;
        assert_eq!(row[0].as_ref().map(String::len), Some(18));
        let cursor = |of: &str| Cursor {
            columns: vec![("c".into(), of.into())],
        };
        let lowered = Sql.lowered(
            &cursor("datetime2(7)"),
            "2026-03-01T00:00:00.1234567",
            &"90s".parse().unwrap(),
        );
        assert_eq!(
            ask(lowered).await,
            [Some("2026-02-28T23:58:30.1234567".to_owned())]
        );
        let capped = Sql.capped(
            &cursor("datetimeoffset(3)"),
            "2026-03-01T00:00:00.123+00:00",
            0,
            Some("2026-02-01T00:00:00.5+00:00"),
        );
        assert_eq!(
            ask(capped.unwrap()).await,
            [Some("2026-02-01T00:00:00.500+00:00".to_owned())]
        );
        crate::database::ask(database).await.unwrap();
        crate::database::discover(database).await.unwrap();
    });
}

#[test]
#[ignore = "needs a SQL Server: COMBOI_TEST_MSSQL_DSN"]
fn queries_and_windows_on_a_real_server() {
    on_it(async |database, connection| {
        let query = Relation::Query(
            "WITH n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 500)\nSELECT id, DATEADD(NANOSECOND, id * 100, CAST('2026-03-01' AS datetime2(7))) AS at FROM n ORDER BY id OPTION (MAXRECURSION 1000);".into(),
        );
        connection.freeze(None).await.unwrap();
        let columns = connection.columns(&query, &BTreeMap::new()).await.unwrap();
        for (name, of) in columns
            .iter()
            .map(|it| (it.name.clone(), it.source_type.clone()))
        {
            let cursor = Cursor {
                columns: vec![(name, of)],
            };
            let greatest = connection
                .texts(&Sql.greatest(&query, &cursor, &Filter::All))
                .await
                .unwrap()
                .remove(0);
            let greatest: Vec<String> = greatest.into_iter().flatten().collect();
            let window = |from, below| Filter::Window {
                cursor: cursor.clone(),
                from,
                below,
                nulls: false,
                lowest: false,
            };
            for (filter, rows) in [
                (window(Some(greatest.clone()), None), 1),
                (window(None, Some(greatest.clone())), 499),
            ] {
                let kept = read(connection, database, &query, &BTreeMap::new(), &filter)
                    .await
                    .unwrap();
                assert_eq!(kept.rows(), rows);
            }
        }
        let estimate = connection
            .estimate(&Sql.select(&query, &columns, &Filter::All))
            .await;
        assert!(estimate.is_ok());
    });
}
