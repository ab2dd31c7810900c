"""Many rules: comboi holds a file to 20 and to 100 rules; the rival is DuckDB with the same rules, one query each."""

import time

SILVER = """SELECT event_id, CAST(customer_id AS BIGINT) AS customer_id, CAST(product_id AS BIGINT) AS product_id, happened_at,
       amount, upper(country) AS country, channel, CAST(quantity AS INTEGER) AS quantity
FROM read_parquet('{files}')
"""

COLUMNS = {
    "event_id": "BIGINT",
    "customer_id": "BIGINT",
    "product_id": "BIGINT",
    "happened_at": "TIMESTAMP WITH TIME ZONE",
    "amount": "DECIMAL(12,2)",
    "country": "VARCHAR",
    "channel": "VARCHAR",
    "quantity": "INTEGER",
}


def rules(count):
    """Rules in the contract's words and as the query that counts the rows which break it. Nothing in them can be read off Parquet's statistics alone."""
    made = []
    for i in range(count):
        kind, n = i % 10, i // 10
        made.append(
            [
                (f"type: range, column: amount, greater_than: {n}, where: quantity > {n % 4}", f"quantity > {n % 4} AND amount <= {n}"),
                (f"type: pattern, column: country, pattern: '^[A-Z]{{2}}$', where: product_id > {n}", f"product_id > {n} AND NOT regexp_matches(country, '^[A-Z]{{2}}$')"),
                (f"type: accepted_values, column: channel, values: [web, shop, phone], where: customer_id <> {n}", f"customer_id <> {n} AND channel NOT IN ('web', 'shop', 'phone')"),
                (f"type: expression, expression: amount * quantity < {500_000 + n}", f"NOT (amount * quantity < {500_000 + n})"),
                (f"type: compare, column: product_id, operator: '<=', other_column: event_id, where: event_id > {20_000 + n}", f"event_id > {20_000 + n} AND NOT (product_id <= event_id)"),
                (f"type: length, column: channel, min_length: 3, max_length: {5 + n}", f"length(channel) < 3 OR length(channel) > {5 + n}"),
                (f"type: multiple_of, column: event_id, multiple_of: {n + 1}, where: event_id % {n + 1} = 0", f"event_id % {n + 1} = 0 AND event_id % {n + 1} <> 0"),
                (f"type: not_null, columns: [customer_id, country, channel], where: quantity <> {n}", f"quantity <> {n} AND (customer_id IS NULL OR country IS NULL OR channel IS NULL)"),
                (f"type: rejected_values, column: country, values: [XX, Y{n}]", f"country IN ('XX', 'Y{n}')"),
                (f"type: custom_sql, query: 'SELECT count(*) FROM {{dataset}} WHERE quantity < 0 AND product_id > {n}'", f"quantity < 0 AND product_id > {n}"),
            ][kind]
        )
    return made


def contract(count):
    columns = "\n".join(f"    - {{ name: {name}, type: '{sql_type}' }}" for name, sql_type in COLUMNS.items())
    said = "\n".join(
        # What is asked for is the work, not the outcome: a rule that some rows break passes.
        f"  - {{ name: r{i}, {rule}{'' if 'custom_sql' in rule else ', must_be_less_than: 1000000000'} }}"
        for i, (rule, _) in enumerate(rules(count))
    )
    return f"dataset: events\nschema:\n  columns:\n{columns}\nquality_rules:\n{said}\n"


def bench(bench, folder, options):
    files = f"{bench.BENCH}/events-{options.rows}/*.parquet"
    for name, rows in [("all", options.rows), ("one", 1)]:
        bench.connect().execute(
            f"COPY ({SILVER.format(files=files)} LIMIT {rows}) TO '{folder}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )
    for count in [20, 100]:
        bench.write(folder / "contract.yml", contract(count))
        best = {"all": 1e9, "one": 1e9, "queries": 1e9}
        for _ in range(options.repeat):
            for name in ["all", "one"]:
                words = ["validate-contract", "--contract", "contract.yml", "--data", f"{name}.parquet"]
                best[name] = min(best[name], bench.run(folder, *words)[0])
            rival = bench.connect()
            begun = time.perf_counter()
            for _, breaks in rules(count):
                rival.execute(f"SELECT count(*) FROM read_parquet('{folder}/all.parquet') WHERE {breaks}").fetchall()
            best["queries"] = min(best["queries"], time.perf_counter() - begun)
            rival.close()
        checked = best["all"] - best["one"]
        text = f"{count} rules on {options.rows:,} rows: {checked:.2f} s; one query each: {best['queries']:.2f} s"
        bench.tell(text, f"{best['queries'] / checked:.2f}x of their speed", "none")
