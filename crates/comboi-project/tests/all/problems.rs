//! Mistakes, each at its place and with what to try.

use crate::check;

#[test]
fn an_empty_project_is_one() {
    check("== configs/p.yml\nsources: []", "no problem");
}

#[test]
fn every_mistake_of_every_file_is_told_at_once() {
    check(
        r#"
        == configs/p.yml
        sources:
          - name: Shop
            type: files
            tables:
              - name: orders
                files: "orders/*.csv"
                incremetal_column: updated_at
                on_bad_row: quarantaine
        stages:
          silver:
            local_path: data/silver
            remote_path_template: "../{dataset}"
        engine:
          threads: many
          memory_limit: 4XB
        monitoring:
          log_level: loud
        == configs/p-transformations.yml
        silver:
          - name: orders_clean
            inputs: [shop/orders]
            quality_check:
              - contract:orders_clean
        == transformations/contracts/orders_clean.yml
        dataset: orders_clean
        schema:
          columns:
            - name: id
              type: VARCHR
            - name: amount
              type: DECIMAL(10,2)
              constraints:
                - min_valeu: 0
        == transformations/sql/orders_clean.sql
        SELECT * FROM orders
        "#,
        "
        configs/p.yml:2:11 `Shop` is not a name: it starts with something else than a lower-case letter (did you mean `shop`?)
        configs/p.yml:7:9 unknown key `incremetal_column` (did you mean `incremental_column`?)
        configs/p.yml:8:21 expected `fail`, `quarantine`, found `quarantaine` (did you mean `quarantine`?)
        configs/p.yml:12:27 `../{dataset}` is not a path for datasets: a part between `/` is empty, or begins or ends with a dot
        configs/p.yml:14:12 expected a whole number from 0 to 4294967295, found `many`
        configs/p.yml:15:17 `4XB` is not a size: expected a number and a unit, such as `512MB` or `4GiB`
        configs/p.yml:17:14 `loud` is not a log level: expected `error`, `warn`, `info`, `debug` or `trace`
        configs/p-transformations.yml:4:5 unknown key `quality_check` (did you mean `quality_checks`?)
        transformations/contracts/orders_clean.yml:5:13 `VARCHR` is not a type: DuckDB has no type `VARCHR` (did you mean `VARCHAR`?)
        transformations/contracts/orders_clean.yml:9:11 unknown constraint `min_valeu` (did you mean `min_value`?)
        ",
    );
}

#[test]
fn a_missing_key_is_told_where_it_is_missing() {
    check(
        r#"
        == configs/p.yml
        sources:
          - name: shop
            type: files
            tables:
              - name: orders
              - files: "*.csv"
          - type: postgres
          - name: other
        "#,
        "
        configs/p.yml:5:9 a table needs the key `files`
        configs/p.yml:6:9 a table needs the key `name`
        configs/p.yml:7:5 a database needs the key `connection`
        configs/p.yml:7:5 a database needs the key `name`
        configs/p.yml:7:5 a database needs the key `tables`
        configs/p.yml:8:5 a source needs the key `type` (one of `files`, `postgres`, `azure_sql`)
        ",
    );
}

#[test]
fn a_misspelt_key_is_not_missing_too() {
    check(
        "== configs/p.yml\nsources:\n  - name: shop\n    type: files\n    tabels: []\n",
        "configs/p.yml:4:5 unknown key `tabels` (did you mean `tables`?)",
    );
}

#[test]
fn values_have_the_type_that_is_wanted() {
    check(
        r#"
        == configs/p.yml
        name: [a]
        sources:
          - name: shop
            type: file
            tables: []
          - name: web
            type: files
            metadata_columns: yes
            tables: {}
          - name: crm
            type: files
            metadata_columns: "true"
            tables:
              - name: a
                files: []
                sample_size: "5"
                csv: { header: 1 }
              - plain text
        stages: nothing
        engine:
        "#,
        "
        configs/p.yml:1:7 expected a name, found a list
        configs/p.yml:4:11 expected `files`, `postgres`, `azure_sql`, found `file` (did you mean `files`?)
        configs/p.yml:8:23 expected `true` or `false`, found `yes` (write `true`)
        configs/p.yml:9:13 expected a list, found a mapping
        configs/p.yml:12:23 expected `true` or `false`, found a text (remove the quotes)
        configs/p.yml:15:16 the list is empty: one entry at least is needed
        configs/p.yml:16:22 expected a whole number from 0 to 4294967295, found `5` (remove the quotes)
        configs/p.yml:17:24 expected `true` or `false`, found `1` (write `true`)
        configs/p.yml:18:9 expected a table: a mapping, found `plain text`
        configs/p.yml:19:9 expected the stages: a mapping, found `nothing`
        ",
    );
}

#[test]
fn tables_say_what_fits_together() {
    check(
        r#"
        == configs/p.yml
        sources:
          - name: shop
            type: files
            metadata_columns: false
            tables:
              - { name: a, files: "a/*.csv", incremental: column }
              - { name: b, files: "b/*.csv", incremental: full, incremental_column: at }
              - { name: c, files: "c/*.csv", lookback: 3d, max_future: 1d }
              - { name: d, files: "d/*.csv", on_changed_file: reread }
              - { name: e, files: ["../e.csv", "/etc/passwd", "e/../../x", "C:/e.csv", "s3://e"] }
              - { name: f, files: "f.csv", csv: { encoding: utf9, decimal_separator: ";", delimiter: ";;", quote: "" } }
              - { name: a, files: "a.csv" }
              - { name: a__quarantine, files: "q.csv" }
          - { name: silver, type: files, tables: [{ name: x, files: x.csv }] }
          - { name: shop, type: files, tables: [{ name: x, files: x.csv }] }
          - { name: empty, type: files, tables: [] }
          - { name: sql, type: azure_sql, connection: {}, tables: [{ name: x, query: " ", lookback: 1d, max_future: 1d }] }
          - { name: two, type: postgres, connection: { dsn: a, host: b }, tables: [{ name: x, query: SELECT 1 }] }
        "#,
        "
        configs/p.yml:6:51 `a` does not say by which column it grows (name it with `incremental_column:`)
        configs/p.yml:7:77 `b` has an incremental column that `incremental: full` does not use (leave out one of the two)
        configs/p.yml:8:48 `c` has a lookback but no column to look back in (name the column that grows with `incremental_column:`)
        configs/p.yml:8:64 `c` has a `max_future` but no column that it is for (name the column that grows with `incremental_column:`)
        configs/p.yml:9:17 the old rows of a changed file of `d` can't be found without the column `_comboi_file` (leave out `metadata_columns: false`, or `on_changed_file: reread`)
        configs/p.yml:10:28 `../e.csv` can't be looked for: `..` would leave the source's folder (write it relative to the source's `path`)
        configs/p.yml:10:40 `/etc/passwd` can't be looked for: it does not begin in the source's folder (write it relative to the source's `path`)
        configs/p.yml:10:55 `e/../../x` can't be looked for: `..` would leave the source's folder (write it relative to the source's `path`)
        configs/p.yml:10:68 `C:/e.csv` can't be looked for: it does not begin in the source's folder (write it relative to the source's `path`)
        configs/p.yml:10:80 `s3://e` can't be looked for: it does not begin in the source's folder (write it relative to the source's `path`)
        configs/p.yml:11:53 unknown encoding `utf9` (`utf-8`, `utf-16`, `latin-1` or another label of the Encoding Standard of the WHATWG)
        configs/p.yml:11:78 `decimal_separator` is `.` or `,`, not `;`
        configs/p.yml:11:94 `delimiter` has to be one character, not `;;`
        configs/p.yml:12:17 the source has two tables `a` (the other one is at configs/p.yml:6:17)
        configs/p.yml:13:17 `a__quarantine` is the name that the quarantine of another table may have (choose a name that does not end in `__quarantine`)
        configs/p.yml:14:13 a source can't be called `silver`, because a stage is
        configs/p.yml:15:13 there are two sources `shop` (the other one is at configs/p.yml:2:11)
        configs/p.yml:16:13 the source has no tables (list what to read under `tables:`)
        configs/p.yml:17:47 the connection of `sql` says nothing of where to connect to (give it `dsn`, `conn_str` or `host`)
        configs/p.yml:17:78 the query of `x` is empty
        configs/p.yml:17:93 `x` has a lookback but no column to look back in (name the column that grows with `incremental_column:`)
        configs/p.yml:17:109 `x` has a `max_future` but no column that it is for (name the column that grows with `incremental_column:`)
        configs/p.yml:18:46 the connection of `two` is described twice (keep one of `dsn`, `conn_str` and `host`)
        ",
    );
}

#[test]
fn lookbacks_that_the_column_s_type_does_not_have() {
    check(
        r#"
        == configs/p.yml
        sources:
          - name: shop
            type: files
            tables:
              - { name: a, files: "a.csv", incremental_column: at, lookback: 500, columns: { At: TIMESTAMP } }
              - { name: b, files: "b.csv", incremental_column: id, lookback: 3d, columns: { id: BIGINT } }
              - { name: c, files: "c.csv", incremental_column: id, lookback: 3d, columns: { id: VARCHAR } }
              - { name: d, files: "d.csv", incremental_column: id, lookback: 1.5, columns: { id: "DECIMAL(9,2)", at: DATE } }
              - { name: e, files: "e.csv", incremental_column: at, lookback: 3d }
          - name: db
            type: postgres
            connection: { dsn: a }
            tables:
              - { name: a, incremental_column: [at, id], lookback: 500, columns: { at: DATE } }
              - { name: b, incremental_column: [id, at], lookback: 3d, columns: { id: "DECIMAL(9,0)" } }
              - { name: c, incremental_column: at, lookback: 3d, columns: { at: VARCHAR } }
        "#,
        "
        configs/p.yml:5:70 the lookback `500` can't be subtracted from `at`, which is TIMESTAMP (write a span, such as `12h`)
        configs/p.yml:6:70 the lookback `3d` can't be subtracted from `id`, which is BIGINT (write a plain number, such as `500`)
        configs/p.yml:7:70 the lookback `3d` can't be subtracted from `id`, which is VARCHAR (leave it out, or name a column of a number, date or timestamp)
        configs/p.yml:14:60 the lookback `500` can't be subtracted from `at`, which is DATE (write a span, such as `12h`)
        configs/p.yml:15:60 the lookback `3d` can't be subtracted from `id`, which is DECIMAL(9,0) (write a plain number, such as `500`)
        ",
    );
}

#[test]
fn every_missing_variable_is_told_at_once() {
    check(
        r#"
        == configs/p.yml
        key_vault: { vault_url: "{{env:VAULT}}" }
        name: "{{keyvault:name}}"
        sources:
          - name: crm
            type: azure_sql
            connection:
              dsn: "Server={{env:SERVER}};Pwd={{keyvault:sql password}};{{environ:X}}{{env:}}"
            tables: [{ name: a, query: "SELECT '{{env:DAY|2026-01-01}}' {{ not_one }} {{}}" }]
        stages:
          bronze:
            local_path: {{env:FOLDER}}
        "#,
        "
        configs/p.yml:1:25 the environment variable `VAULT` is not set (set it, write it to `.env`, or give a default: {{env:VAULT|…}})
        configs/p.yml:2:7 a secret can't stand here: expected a name (secrets are for connections and credentials; use {{env:NAME}} for what is no secret)
        configs/p.yml:7:12 `` is not the name of an environment variable (write {{env:NAME}} or {{env:NAME|default}})
        configs/p.yml:7:12 `sql password` is not the name of a secret (a secret's name has letters, digits and `-`)
        configs/p.yml:7:12 the environment variable `SERVER` is not set (set it, write it to `.env`, or give a default: {{env:SERVER|…}})
        configs/p.yml:7:12 there is no placeholder `{{environ:…}}` (did you mean `{{env:X}}`?)
        configs/p.yml:11:18 a key has to be a text (if this is a placeholder such as {{env:NAME}}, put it in quotes: \"{{env:NAME}}\")
        ",
    );
}

#[test]
fn the_address_of_a_vault_is_one() {
    check(
        r#"
        == configs/p.yml
        key_vault: { vault_url: my-vault }
        sources: [{ name: shop, type: files, tables: [{ name: orders, files: o.csv }] }]
        "#,
        "
        configs/p.yml:1:25 `my-vault` is not the address of a key vault: write `https://my-vault.vault.azure.net`
        ",
    );
}

#[test]
fn a_secret_without_a_vault() {
    check(
        r#"
        == configs/p.yml
        sources:
          - name: crm
            type: postgres
            connection: { conn_str: "host=a", user: "{{keyvault:user}}", password: "{{keyvault:password}}" }
            tables: [{ name: a }]
        "#,
        "
        configs/p.yml:4:45 the secret `user` has no key vault to come from (name it: `key_vault: {vault_url: https://my-vault.vault.azure.net}`)
        configs/p.yml:4:76 the secret `password` has no key vault to come from (name it: `key_vault: {vault_url: https://my-vault.vault.azure.net}`)
        ",
    );
}

/// A shop with two tables and datasets as given; every dataset has its SQL.
fn shop(transformations: &str) -> String {
    let config = "== configs/p.yml\nsources: [{ name: shop, type: files, tables: [{ name: orders, files: o.csv }, { name: customers, files: c.csv }] }]\n";
    let names = ["a", "b", "c", "orders_clean"];
    let sql: String = names
        .iter()
        .map(|name| format!("== transformations/sql/{name}.sql\nSELECT 1\n"))
        .collect();
    format!(
        "{config}{sql}== configs/transformations.yml\n{}",
        crate::unindented(transformations).trim_start()
    )
}

#[test]
fn inputs_are_found_by_path_and_by_name() {
    check(
        &shop(
            "silver:\n\
             - { name: a, inputs: [orders, bronze/shop/customers] }\n\
             - { name: b, inputs: [shop/orders, { alias: x, dataset: a }, silver/orders_clean] }\n\
             - { name: orders_clean, inputs: [{ alias: o, stage: bronze, source_path: shop/orders.parquet }] }\n\
             gold:\n\
             - { name: c, inputs: [{ alias: o, stage: silver, source_path: silver/refined/orders_clean }, { alias: b, stage: bronze, source_path: bronze/shop/orders }] }\n",
        ),
        "no problem",
    );
}

#[test]
fn inputs_that_are_not_there_are_told_with_what_may_be_meant() {
    check(
        &shop(
            "
            silver:
            - name: a
              inputs:
                - ordrs
                - shop/order
                - silver/b
                - { alias: x, stage: bronze, source_path: crm/orders.parquet }
                - { alias: y, stage: silver, source_path: refined/c.parquet }
                - { alias: z, stage: gold, source_path: metrics/c.parquet }
                - c
                - { alias: z, dataset: orders, stage: bronze }
            gold:
            - { name: c, inputs: [] }
            - { name: b, inputs: [orders, { alias: orders, dataset: customers }] }
            ",
        ),
        "
        configs/transformations.yml:4:7 there is no dataset `ordrs` (did you mean `orders`?)
        configs/transformations.yml:5:7 there is no dataset `shop/order` (did you mean `shop/orders`?)
        configs/transformations.yml:6:7 there is no dataset `silver/b` (did you mean `silver/a`?)
        configs/transformations.yml:7:47 no dataset of bronze lives at `crm/orders.parquet` (did you mean `shop/orders`?)
        configs/transformations.yml:8:47 no dataset of silver lives at `refined/c.parquet` (did you mean `refined/a.parquet`?)
        configs/transformations.yml:9:45 `a` of silver can't read `gold/c`, which is built after it (a dataset reads its own stage or an earlier one: move one of the two, or read another dataset than gold/c)
        configs/transformations.yml:10:7 `a` of silver can't read `gold/c`, which is built after it (a dataset reads its own stage or an earlier one: move one of the two, or read another dataset than gold/c)
        configs/transformations.yml:11:7 an input needs the key `source_path`
        configs/transformations.yml:11:19 unknown key `dataset` (an input has `alias`, `stage` and `source_path`)
        configs/transformations.yml:14:57 `b` has two inputs called `orders` (the other one is at configs/transformations.yml:14:23; give one of them another `alias`)
        ",
    );
}

#[test]
fn a_circle_is_told_as_its_path() {
    check(
        &shop("silver:\n- { name: a, inputs: [b] }\n- { name: b, inputs: [orders, c] }\n- { name: c, inputs: [a] }\n- { name: orders_clean, inputs: [silver/orders_clean, a] }\n"),
        "
        configs/transformations.yml:2:23 these datasets wait for each other: silver/a → silver/b → silver/c → silver/a (remove one of the inputs at configs/transformations.yml:2:23, configs/transformations.yml:3:31, configs/transformations.yml:4:23)
        configs/transformations.yml:5:34 `silver/orders_clean` reads itself (remove one of the inputs at configs/transformations.yml:5:34)
        ",
    );
}

#[test]
fn names_are_there_once() {
    check(
        r#"
        == configs/p.yml
        sources:
          - { name: shop, type: files, tables: [{ name: a, files: a.csv }] }
          - { name: web, type: files, tables: [{ name: a, files: a.csv }] }
        stages:
          silver: { local_path: data/lake, remote_path_template: "{dataset}" }
          gold: { local_path: ./data/x/../lake, remote_path_template: "{stage}/{dataset}.parquet" }
          bronze: { remote_path_template: "{table}" }
        == configs/transformations.yml
        silver:
          - { name: a, inputs: [shop/a] }
          - { name: b, inputs: [a] }
          - { name: b, inputs: [shop/a] }
        gold:
          - { name: a, inputs: [shop/a] }
          - { name: b__quarantine, inputs: [b] }
        == transformations/sql/b__quarantine.sql
        SELECT 1
        == transformations/sql/a.sql
        SELECT 1
        == transformations/sql/b.sql
        SELECT 1
        "#,
        "
        configs/p.yml:7:35 `{table}` can't be the template of bronze: it has no `{source}`, so tables of two sources would share one path
        configs/transformations.yml:3:25 `a` may be `bronze/shop/a` or `bronze/web/a` or `silver/a` (write which one)
        configs/transformations.yml:4:13 there are two datasets `silver/b` (the other one is at configs/transformations.yml:3:13)
        configs/transformations.yml:6:13 `gold/a` and `silver/a` would both live at `a.parquet` of the same folder (`silver/a` is at configs/transformations.yml:2:13; give their stages different `local_path`s or templates)
        configs/transformations.yml:7:13 `b__quarantine` is the name that the quarantine of another dataset may have (choose a name that does not end in `__quarantine`)
        ",
    );
}

#[test]
fn sql_and_contracts_are_found_before_anything_runs() {
    check(
        r#"
        == configs/p.yml
        sources: [{ name: shop, type: files, tables: [{ name: t, files: t.csv }] }]
        == configs/transformations.yml
        silver:
          - { name: orders_clean, inputs: [t], quality_checks: [contract:orders_claen, not_null:id, contract:../p] }
          - { name: customers, inputs: [t], quality_checks: [contract:orders_clean, contract:orders_clean] }
          - { name: empty, inputs: [t] }
        gold:
          - { name: metrics, inputs: [t], quality_checks: [contract:metrics] }
        == transformations/sql/order_clean.sql
        SELECT 1
        == transformations/sql/empty.sql

        == transformations/sql/metrics.sql
        SELECT 1
        == transformations/contracts/orders_clean.yml
        dataset: orders_clean
        schema: { columns: [{ name: id, type: INTEGER }] }
        == transformations/contracts/metrics.yml
        dataset: metrics
        stage: silver
        schema: { columns: [{ name: id, type: INTEGER }] }
        "#,
        "
        configs/transformations.yml:2:13 there is no SQL file for `orders_clean` (did you mean `order_clean.sql`? A dataset's SQL file has its name)
        configs/transformations.yml:2:57 there is no contract `orders_claen` (did you mean `orders_clean`?)
        configs/transformations.yml:2:80 `not_null:id` is not a contract (write `contract:<name of a file in the contracts' folder>`; rules stand in contracts)
        configs/transformations.yml:2:93 there is no contract `../p` (create transformations/contracts/../p.yml)
        configs/transformations.yml:3:13 there is no SQL file for `customers` (create transformations/sql/customers.sql with one SELECT over its inputs)
        configs/transformations.yml:3:77 contract `orders_clean` is here twice (keep one of them)
        transformations/contracts/metrics.yml:2:8 contract `metrics` is for silver, but `metrics` is in gold (it is used at configs/transformations.yml:6:52)
        transformations/contracts/orders_clean.yml:1:10 contract `orders_clean` is one of `orders_clean`, but `customers` uses it (it is used at configs/transformations.yml:3:54)
        transformations/sql/empty.sql the file is empty (write one SELECT)
        ",
    );
}

#[test]
fn an_entry_that_could_not_be_read_is_not_missed_a_second_time() {
    check(
        r#"
        == configs/p.yml
        sources: [{ name: shop, type: files, tables: [{ name: orders, files: [] }, { name: customers, files: c.csv }] }]
        == configs/transformations.yml
        silver: [{ name: a, inputs: [shop/orders, bronze/shop/custmers] }]
        == transformations/sql/a.sql
        SELECT 1
        "#,
        "
        configs/p.yml:1:70 the list is empty: one entry at least is needed
        configs/transformations.yml:1:43 there is no dataset `bronze/shop/custmers` (did you mean `bronze/shop/customers`?)
        ",
    );
}

#[test]
fn contracts_say_what_can_be_held() {
    check(
        r#"
        == configs/p.yml
        sources: []
        == transformations/contracts/c.yml
        version: 1.0
        dataset: c
        schema:
          columns:
            - { name: id, type: INTEGER, constraints: [{ min_value: 5 }, { max_value: 4 }, { pattern: x }] }
            - { name: ID, type: INTEGER }
            - { name: country, type: VARCHAR, constraints: { pattern: "[A-Z", min_value: 3, min_length: 3, max_length: 2 } }
            - { name: kind, type: "ENUM('a', 'b')", constraints: [{ allowed_values: [a, c] }] }
            - { name: born, type: DATE, constraints: [{ min_value: 1900-02-30 }, { unique: yes }, { unique: true }] }
            - { name: either, type: "UNION(a INTEGER)" }
            - { name: at, type: VARCHAR }
        quality_rules:
          - { name: r1, type: not_null, column: contry }
          - { name: r1, type: uniqueness }
          - { name: r2, type: uniqueness, columns: [id, Id] }
          - { name: r3, type: volume }
          - { name: r4, type: volume, min_rows: 5, max_rows: 4 }
          - { name: r5, type: custom_sql, query: "", expected: none }
          - { name: r6, type: not_nul, column: id }
          - { name: r7, type: not_null, column: id, severity: fatal }
        sla:
          freshness: { max_age_hours: 0, column: at }
          data_retention: { column: nowhere }
        privacy: { pii_columns: [country, emial] }
        == transformations/contracts/d.yml
        dataset: d
        schema: { columns: [{ name: id, type: INTEGER }, { name: a, type: DATE }, { name: b, type: DATE }] }
        sla: { freshness: { max_age_hours: 24 } }
        == transformations/contracts/e.yml
        dataset: e
        schema: { columns: [] }
        == transformations/contracts/f.yml
        dataset: f
        schema: { columns: [{ name: loaded_at, type: DATE }, { name: name, type: VARCHAR }] }
        sla: { data_retention: { max_age_days: 0 } }
        == transformations/contracts/g.yml
        dataset: g
        schema: { columns: [{ name: a, type: DATE }, { name: b, type: DATE }] }
        sla: { data_retention: { max_age_days: 365250, column: aa } }
        "#,
        "
        transformations/contracts/c.yml:5:50 `min_value` of `id` is above its `max_value`
        transformations/contracts/c.yml:5:86 `id` is INTEGER, and only texts have a `pattern`
        transformations/contracts/c.yml:6:15 column `ID` is here twice (it is at transformations/contracts/c.yml:5:15 already)
        transformations/contracts/c.yml:7:54 `[A-Z` is not a regular expression: unclosed character class
        transformations/contracts/c.yml:7:71 the column is VARCHAR, where `3` would be compared as a text: put it in quotes to mean that, or make the column a number
        transformations/contracts/c.yml:7:85 `min_length` of `country` is above its `max_length`
        transformations/contracts/c.yml:8:61 `c` is not a value of the column's type ENUM('a', 'b')
        transformations/contracts/c.yml:9:49 `1900-02-30` is not a value of the column's type DATE
        transformations/contracts/c.yml:9:84 expected `true` or `false`, found `yes` (write `true`)
        transformations/contracts/c.yml:10:29 the lake can't keep UNION(a INTEGER): no reader of Delta tables has unions (make a STRUCT with one field per member, or cast it to VARCHAR)
        transformations/contracts/c.yml:13:41 the contract has no column `contry` (did you mean `country`?)
        transformations/contracts/c.yml:14:5 rule `r1` needs the key `column` or `columns`
        transformations/contracts/c.yml:14:13 there are two rules `r1` (the other one is at transformations/contracts/c.yml:13:13)
        transformations/contracts/c.yml:15:49 column `Id` is here twice
        transformations/contracts/c.yml:16:5 rule `r3` needs the key `min_rows` or `max_rows`
        transformations/contracts/c.yml:17:41 `min_rows` of `r4` is above its `max_rows`
        transformations/contracts/c.yml:18:42 the query is empty (write one SELECT that returns one number)
        transformations/contracts/c.yml:18:56 expected a number, found `none`
        transformations/contracts/c.yml:19:23 there is no `not_nul` (did you mean `not_null`?)
        transformations/contracts/c.yml:20:55 expected `error`, `warning`, `info`, found `fatal`
        transformations/contracts/c.yml:22:31 the greatest age has to be above 0 and below 1000 years
        transformations/contracts/c.yml:22:42 age is told by a date or timestamp, and `at` is VARCHAR
        transformations/contracts/c.yml:23:29 the contract has no column `nowhere`
        transformations/contracts/c.yml:24:35 the contract has no column `emial`
        transformations/contracts/d.yml:3:19 freshness needs a date or timestamp, and it is not clear which (name it with `column:`, or add a column such as `updated_at` of type TIMESTAMP to the schema)
        transformations/contracts/e.yml:2:9 the contract has no columns (list the columns that the dataset promises, or welcome any: `allow_extra_columns: true`)
        transformations/contracts/f.yml:3:40 it is not clear how old a row is (name the date or timestamp by which it is told with `column:`)
        transformations/contracts/f.yml:3:40 rows are kept for one day at least and less than 1000 years (leave `data_retention` out to keep them for ever)
        transformations/contracts/g.yml:3:40 rows are kept for one day at least and less than 1000 years (leave `data_retention` out to keep them for ever)
        transformations/contracts/g.yml:3:56 the contract has no column `aa`
        ",
    );
}

#[test]
fn how_long_rows_of_tables_are_kept_has_to_be_clear() {
    check(
        r#"
        == configs/p.yml
        sources:
          - name: shop
            type: files
            tables:
              - { name: a, files: a.csv, columns: { at: VARCHAR }, data_retention: { max_age_days: 0, column: AT } }
              - { name: b, files: b.csv, data_retention: { max_age_days: 30 } }
          - name: crm
            type: postgres
            connection: { host: h }
            tables:
              - { name: c, data_retention: { column: at } }
              - { name: d, data_retention: { max_age_days: 30, column: at } }
        "#,
        "
        configs/p.yml:5:92 rows are kept for one day at least and less than 1000 years (leave `data_retention` out to keep them for ever)
        configs/p.yml:5:103 age is told by a date or timestamp, and `AT` is VARCHAR
        configs/p.yml:6:50 it is not clear how old a row is (name the date or timestamp by which it is told with `column:`)
        configs/p.yml:11:36 nothing says for how long rows are kept (say it with `max_age_days:`)
        ",
    );
}

#[test]
fn rules_say_what_can_be_measured() {
    check(
        r#"
        == configs/p.yml
        sources: []
        == transformations/contracts/c.yml
        dataset: c
        schema:
          primary_key: [id, idd]
          unique_keys: [[id, id]]
          foreign_keys: [{ columns: [id, name], dataset: d, to: [id] }]
          columns:
            - { name: id, type: INTEGER, severity: warning, action: fail, constraints: { multiple_of: 0, format: email } }
            - { name: name, type: VARCHAR }
            - { name: price, type: DOUBLE, constraints: { multiple_of: 0.05 } }
            - { name: at, type: TIMESTAMP }
        quality_rules:
          - { name: r01, type: range, column: name, min_value: 3 }
          - { name: r02, type: range, column: id }
          - { name: r03, type: range, column: id, greater_than: 3, max_value: 3 }
          - { name: r04, type: pattern, column: name, pattern: "[a-" }
          - { name: r05, type: not_pattern, column: id, pattern: "a" }
          - { name: r06, type: format, column: name, format: emial }
          - { name: r07, type: aggregate, function: sum, column: name, must_be: 0 }
          - { name: r08, type: aggregate, function: quantile, column: id, must_be: 0 }
          - { name: r09, type: aggregate, function: avg, column: id }
          - { name: r10, type: aggregate, function: max, column: at, must_be_less_than: yesterday }
          - { name: r11, type: not_null, column: id, unit: percent, must_be_greater_than: 100 }
          - { name: r12, type: not_null, column: id, must_be_less_than: some }
          - { name: r13, type: not_null, column: id, must_be_between: 5 }
          - { name: r14, type: volume, must_be_greater_than: 10, must_be_less_than: 5 }
          - { name: r15, type: volume, min_rows: 1, unit: percent }
          - { name: r16, type: volume, min_rows: 1, action: quarantine }
          - { name: r17, type: not_null, column: id, action: drop, must_be_less_than: 5 }
          - { name: r18, type: sequential, column: at }
          - { name: r19, type: sequential, column: name }
          - { name: r20, type: compare, column: id, operator: "<", other_column: name }
          - { name: r21, type: validity, column: name, constraints: { unique: true, pattern: "[" } }
          - { name: r22, type: expression, expression: " " }
          - { name: r23, type: row_count_change, where: "id > 0", must_be_between: [-10, 10] }
          - { name: r24, type: foreign_key, columns: [id], dataset: d, to: [a, b] }
          - { name: r25, type: freshness, column: name, max_age_hours: 1, must_be: 3 }
          - { name: r26, type: accepted_values, column: id, values: [1, two] }
          - { name: r27, type: no_overlap, from_column: id, to_colum: id }
        quarantine: { max_percent: 101 }
        "#,
        "
        transformations/contracts/c.yml:3:21 the contract has no column `idd`
        transformations/contracts/c.yml:4:22 column `id` is here twice
        transformations/contracts/c.yml:5:18 2 of the columns here would be compared with 1 of the other dataset (name as many of each, in the same order)
        transformations/contracts/c.yml:7:61 the action `fail` keeps the dataset from its readers, which is more than a `warning` (use the action `report`, or the severity `error`)
        transformations/contracts/c.yml:7:82 expected a number above 0, found `0`
        transformations/contracts/c.yml:7:98 `id` is INTEGER, and only texts have a `format`
        transformations/contracts/c.yml:9:51 `price` is DOUBLE, and only whole numbers and decimals are multiples of something, exactly
        transformations/contracts/c.yml:12:56 the column is VARCHAR, where `3` would be compared as a text: put it in quotes to mean that, or make the column a number
        transformations/contracts/c.yml:13:5 rule `r02` needs one of the keys `min_value`, `max_value`, `greater_than` and `less_than`
        transformations/contracts/c.yml:14:57 no value lies between the bounds of `r03`
        transformations/contracts/c.yml:15:56 `[a-` is not a regular expression: unclosed character class
        transformations/contracts/c.yml:16:45 `id` is INTEGER, and only texts match a pattern
        transformations/contracts/c.yml:17:54 there is no `emial` (did you mean `email`?)
        transformations/contracts/c.yml:18:58 `name` is VARCHAR, and only numbers have a `sum`
        transformations/contracts/c.yml:19:45 the function `quantile` needs the key `quantile` (from 0 to 1: 0.95 has 95 percent of the values below it)
        transformations/contracts/c.yml:20:5 rule `r09` does not say what it expects (add a threshold such as `must_be_between: [0, 100]`)
        transformations/contracts/c.yml:21:81 `yesterday` is not a value of the column's type TIMESTAMP
        transformations/contracts/c.yml:22:83 `must be greater than 100` can never be: what is measured lies between 0 and 100
        transformations/contracts/c.yml:23:65 expected a number, found `some`
        transformations/contracts/c.yml:24:63 expected a list of two values, such as [1, 99], found `5`
        transformations/contracts/c.yml:25:77 no number keeps all of these thresholds
        transformations/contracts/c.yml:26:51 rule `r15` measures no part of the rows, so it can't count in percent (leave `unit` out)
        transformations/contracts/c.yml:27:53 rule `r16` is not about single rows that could be taken away, so its action can't be `quarantine` (use `fail` or `report`)
        transformations/contracts/c.yml:28:79 rule `r17` takes away every row that breaks it, however many they are (leave the threshold out: how many may be taken away is said by `quarantine: { max_rows, max_percent }` of the contract)
        transformations/contracts/c.yml:29:44 `at` is TIMESTAMP: say by `step_unit` of what a step is
        transformations/contracts/c.yml:30:44 `name` is VARCHAR, and only whole numbers, dates and timestamps go step by step
        transformations/contracts/c.yml:31:74 `id` is INTEGER and `name` is VARCHAR, which don't compare
        transformations/contracts/c.yml:32:63 `unique` looks at other rows than its own: make it a rule of its own
        transformations/contracts/c.yml:32:77 `[` is not a regular expression: unclosed character class
        transformations/contracts/c.yml:33:48 the expression is empty
        transformations/contracts/c.yml:34:49 a rule of type `row_count_change` looks at all rows (leave `where` out: of earlier versions only the number of rows is known)
        transformations/contracts/c.yml:35:5 1 of the columns here would be compared with 2 of the other dataset (name as many of each, in the same order)
        transformations/contracts/c.yml:36:43 age is told by a date or timestamp, and `name` is VARCHAR
        transformations/contracts/c.yml:36:76 how old the newest row may be is said by `max_age_hours` alone (leave `must_be` out)
        transformations/contracts/c.yml:37:61 `two` is not a value of the column's type INTEGER
        transformations/contracts/c.yml:38:53 unknown key `to_colum` (did you mean `to_column`?)
        transformations/contracts/c.yml:39:28 `max_percent` has to lie between 0 and 100
        ",
    );
}

#[test]
fn what_is_written_for_other_programs_is_not_taken_as_it_stands() {
    check(
        r#"
        == configs/p.yml
        sources:
          - name: shop
            type: files
            path: s3://bucket/in
            tables: [{name: orders, files: "*.csv"}]
          - name: crm
            type: postgres
            connection: {host: h, database: d, user: "{{env USER}}", password: "${PASSWORD}"}
            tables: [{name: people}]
        stages:
          gold: {local_path: abfss://gold@account.dfs.core.windows.net}
        engine: {temp_directory: "{{ keyvault.folder }}"}
        monitoring: {log_path: "logs/${DAY:-today}.log", metrics_path: "a$b{c}$${1}"}
        "#,
        "
        configs/p.yml:4:11 a path of this machine is expected, and `s3://` begins the address of something else (write a file or folder; a lake in Azure is named with `data_lake:` of a stage)
        configs/p.yml:8:46 `{{env …}}` is not a placeholder: it has no colon (write {{env:USER}})
        configs/p.yml:8:72 `${PASSWORD}` is not a placeholder (write {{env:PASSWORD}}; a value that has these characters may come from a variable or a key vault)
        configs/p.yml:11:22 a path of this machine is expected, and `abfss://` begins the address of something else (write a file or folder; a lake in Azure is named with `data_lake:` of a stage)
        configs/p.yml:12:26 `{{keyvault …}}` is not a placeholder: it has no colon (write {{keyvault:folder}})
        configs/p.yml:13:24 `${DAY}` is not a placeholder (write {{env:DAY}}; a value that has these characters may come from a variable or a key vault)
        ",
    );
}

#[test]
fn rules_of_other_tools_have_one_here() {
    check(
        r#"
        == configs/p.yml
        sources: []
        == transformations/contracts/c.yml
        dataset: c
        schema: {columns: [{name: id, type: BIGINT}]}
        quality_rules:
          - {name: a, type: unique, column: id}
          - {name: b, type: dbt_utils.accepted_range, column: id}
          - {name: c, type: expect_column_values_to_not_be_null, column: id}
          - {name: d, type: relationships, column: id}
        "#,
        "
        transformations/contracts/c.yml:4:21 there is no `unique` (`uniqueness` is the rule that checks that here)
        transformations/contracts/c.yml:5:21 there is no `dbt_utils.accepted_range` (`range` is the rule that checks that here)
        transformations/contracts/c.yml:6:21 there is no `expect_column_values_to_not_be_null` (`not_null` is the rule that checks that here)
        transformations/contracts/c.yml:7:21 there is no `relationships` (`foreign_key` is the rule that checks that here)
        ",
    );
}
