//! Ways to a database, and losing them.

use comboi_test::service;

use super::{Shop, table};

const T: &str =
    "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')";

#[test]
fn by_parts_keywords_and_address() {
    let shop = Shop::new(T, &table(&["t"]));
    let url = shop.database.url();
    let port = url
        .rsplit_once(':')
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let name = shop.database.name();
    for connection in [
        format!(
            "host: localhost\nport: {port}\ndatabase: {name}\nuser: postgres\npassword: comboi"
        ),
        format!(
            "conn_str: \"host=127.0.0.1 port={port} dbname={name} user=postgres password=comboi\""
        ),
        format!("conn_str: \"{url}?sslmode=disable\""),
        format!("conn_str: \"{url}?sslmode=require\""),
        format!("conn_str: \"{url}\"\nsslmode: require"),
        format!(
            "conn_str: \"{url}?sslmode=verify-full&sslrootcert={}\"",
            service("COMBOI_TEST_POSTGRES_CA")
        ),
        format!(
            "conn_str: \"{}?sslmode=verify-ca&sslrootcert={}\"",
            url.replace("localhost", "127.0.0.1"),
            service("COMBOI_TEST_POSTGRES_CA")
        ),
    ] {
        shop.connect_by(&connection, &table(&["t"]));
        let said = shop.world.expect(0, &["test-connection"]);
        assert!(
            said.out.starts_with("shop: good. PostgreSQL "),
            "{}",
            said.out
        );
    }
}

#[test]
fn a_server_that_is_not_who_it_should_be() {
    let shop = Shop::new(T, "");
    let url = shop.database.url();
    let ca = service("COMBOI_TEST_POSTGRES_CA");
    let failing = |connection: &str| {
        shop.connect_by(connection, &table(&["t"]));
        shop.world.expect(1, &["test-connection"]).out
    };
    let unknown = failing(&format!("conn_str: \"{url}?sslmode=verify-full\""));
    assert!(
        unknown.contains("certificate") && unknown.contains("sslrootcert"),
        "{unknown}"
    );
    let wrong_name = failing(&format!(
        "conn_str: \"{}?sslmode=verify-full&sslrootcert={ca}\"",
        url.replace("localhost", "127.0.0.1")
    ));
    assert!(wrong_name.contains("certificate"), "{wrong_name}");
    assert!(!unknown.contains("comboi@") && !wrong_name.contains("comboi@"));
}

#[test]
fn through_a_pooler_in_transaction_mode() {
    let shop = Shop::new(
        "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, at timestamptz, m mood, n numeric(5,1)); \
         INSERT INTO t SELECT i, timestamptz '2024-01-01' + i * interval '1 s', 'sad', 1.5 FROM generate_series(1, 3000) i; ANALYZE t",
        "",
    );
    let url = shop.database.pooled_url();
    shop.connect_by(
        &format!("conn_str: \"{url}?sslmode=disable\""),
        &table(&[
            "t",
            "incremental_column: at",
            "primary_key: id",
            "commit_rows: 1000",
            "parallelism: 2",
        ]),
    );
    assert_eq!(shop.run(), ["bronze/shop/t succeeded 3000"]);
    for round in 0..3 {
        shop.database.run(&format!(
            "INSERT INTO t VALUES ({}, clock_timestamp(), 'sad', 2.5)",
            5000 + round
        ));
        assert_eq!(shop.run(), ["bronze/shop/t succeeded 1"]);
    }
    assert_eq!(shop.world.rows("t").len(), 3003);
}

#[test]
fn a_connection_that_is_lost_in_the_middle() {
    // Slow enough to be caught in the act.
    let query = "query: \"SELECT i, pg_sleep(0.0005)::text AS p FROM generate_series(1, 3000) i\"";
    let shop = Shop::new("", &table(&["t", query]));
    let mut child = shop
        .world
        .command(&["run", "bronze"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut killed = 0;
    while child.try_wait().unwrap().is_none() {
        if killed == 0 {
            let found = shop.database.run("SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'");
            killed += found.len();
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(killed, 1);
    assert!(child.wait().unwrap().success());
    assert_eq!(shop.world.rows("t").len(), 3000);
}

#[test]
fn views_partitions_and_names_of_all_kinds() {
    let shop = Shop::new(
        "CREATE SCHEMA \"My Sales\"; CREATE TABLE \"My Sales\".\"Order.Items\" (\"The Id\" int PRIMARY KEY, \"select\" text); \
         INSERT INTO \"My Sales\".\"Order.Items\" VALUES (1, 'a'), (2, 'b'); \
         CREATE VIEW v AS SELECT * FROM \"My Sales\".\"Order.Items\"; \
         CREATE TABLE p (id int, day date) PARTITION BY RANGE (day); \
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01'); CREATE TABLE p2 PARTITION OF p DEFAULT; \
         INSERT INTO p VALUES (1, '2024-01-05'), (2, '2025-01-05'), (3, '2025-01-06')",
        &(table(&[
            "items",
            "table: '\"My Sales\".\"Order.Items\"'",
            "primary_key: The Id",
            "incremental_column: The Id",
        ]) + &table(&["v"])
            + &table(&["p", "primary_key: id", "incremental_column: day"])),
    );
    assert_eq!(
        shop.run(),
        [
            "bronze/shop/items succeeded 2",
            "bronze/shop/v succeeded 2",
            "bronze/shop/p succeeded 3"
        ]
    );
    assert_eq!(shop.world.rows("v"), ["1,a", "2,b"]);
    assert_eq!(
        shop.world.rows("p"),
        ["1,2024-01-05", "2,2025-01-05", "3,2025-01-06"]
    );
    let yaml = shop
        .world
        .expect(0, &["discover", "--source", "shop", "--yaml"])
        .out;
    assert!(
        yaml.contains("      - name: p\n        table: \"public.p\"\n"),
        "{yaml}"
    );
}

#[test]
fn tables_that_are_found_come_as_yaml_that_finds_their_changes() {
    let shop = Shop::new(
        "CREATE SCHEMA other; CREATE TABLE other.orders (id serial PRIMARY KEY, v text); \
         CREATE TABLE orders (id serial PRIMARY KEY, v text); INSERT INTO orders (v) VALUES ('new'), ('new')",
        &table(&["placeholder", "table: orders"]),
    );
    let discover = ["discover", "--source", "shop", "--yaml"];
    let yaml = shop.world.expect(0, &discover).out;
    shop.configure(&yaml);
    shop.world.expect(0, &["validate"]);
    let loaded = [
        "bronze/shop/other_orders skipped 0",
        "bronze/shop/public_orders succeeded 2",
    ];
    assert_eq!(shop.run(), loaded, "{yaml}");
    shop.database
        .run("UPDATE orders SET v = 'paid' WHERE id = 1");
    shop.run();
    assert_eq!(shop.world.rows("public_orders"), ["1,paid", "2,new"]);
}

#[test]
fn queries_as_people_write_them() {
    for query in [
        "SELECT id, v FROM t ORDER BY v DESC",
        "WITH a AS (SELECT * FROM t) SELECT id, v FROM a WHERE v <> ';' -- the end",
        "SELECT id, v FROM t; -- done;",
        "SELECT id, v FROM t /* ; */ ;;",
        "(SELECT id, v FROM t UNION ALL SELECT 3, 'c') LIMIT 2",
    ] {
        let shop = Shop::new(
            T,
            &table(&[
                "t",
                &format!("query: {}", serde_json::to_string(query).unwrap()),
                "incremental_column: id",
            ]),
        );
        assert_eq!(shop.run(), ["bronze/shop/t succeeded 2"], "{query}");
        assert_eq!(shop.world.rows("t"), ["1,a", "2,b"], "{query}");
    }
}

/// What the server does for nobody any more.
fn still_at_work(shop: &Shop) -> bool {
    shop.database
        .value("SELECT (count(*) > 0)::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'")
        == "true"
}

#[test]
fn ctrl_c_does_not_wait_for_a_silent_server() {
    let asleep = "query: \"SELECT 1 AS i, pg_sleep(600)::text AS p\"";
    let shop = Shop::new(T, "");
    let url = shop.database.url();
    for (encryption, table, blocked) in [
        ("require", &["t", asleep][..], false),
        ("disable", &["t", asleep], false),
        // Nothing is said of a table that somebody has locked.
        ("require", &["t"], true),
    ] {
        let connection = format!("conn_str: \"{url}?sslmode={encryption}\"");
        shop.connect_by(&connection, &self::table(table));
        let lock = shop.database.session();
        if blocked {
            let locking = lock.batch_execute("BEGIN; LOCK TABLE t");
            shop.database.block_on(locking).unwrap();
        }
        let child = shop
            .world
            .command(&["run", "bronze"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let waiting = "SELECT (count(*) > 0)::text FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'comboi' AND wait_event IN ('PgSleep', 'relation')";
        while shop.database.value(waiting) != "true" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let kill = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(130), "{ended:?}");
        drop(lock);
        while still_at_work(&shop) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn a_value_that_is_refused_ends_the_query() {
    // The first row can't be kept; the last one is not waited for.
    let query = "query: \"SELECT CASE i WHEN 1 THEN date 'infinity' END AS d, CASE i WHEN 20000 THEN pg_sleep(600)::text END AS p FROM generate_series(1, 20000) i\"";
    let shop = Shop::new("", &table(&["t", query]));
    assert!(
        shop.failure()
            .starts_with("a value of column `d` can't be kept")
    );
    while still_at_work(&shop) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn whoever_names_an_authority_wants_it_to_be_asked() {
    let shop = Shop::new(T, "");
    let url = shop.database.url();
    let other = shop.world.path("other.crt");
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=somebody else",
        ])
        .arg("-keyout")
        .arg(shop.world.path("other.key"))
        .arg("-out")
        .arg(&other)
        .stderr(std::process::Stdio::null())
        .status();
    assert!(made.unwrap().success());
    for options in ["?sslmode=require&", "?"] {
        for (file, code) in [
            (service("COMBOI_TEST_POSTGRES_CA"), 0),
            (other.display().to_string(), 1),
        ] {
            let connection = format!("conn_str: \"{url}{options}sslrootcert={file}\"");
            shop.connect_by(&connection, &table(&["t"]));
            shop.world.expect(code, &["test-connection"]);
        }
    }
}

#[test]
fn a_token_is_not_sent_to_where_others_can_read_it() {
    let shop = Shop::new(T, "");
    shop.connect_by(
        "host: db.example.com\ndatabase: shop\nuser: app\nauthentication: entra\nsslmode: prefer",
        &table(&["t"]),
    );
    let said = shop.world.expect(1, &["test-connection"]).out;
    assert!(
        said.contains("a token is not sent without encryption"),
        "{said}"
    );
}
