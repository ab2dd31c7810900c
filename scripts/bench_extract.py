"""The extract suite of scripts/bench: TPC-H's lineitem out of a real PostgreSQL, by comboi, by DuckDB, and by COPY alone."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

# The columns and types of TPC-H's lineitem; values by arithmetic on the row's number, so that they are the same each time.
LINEITEM = """
CREATE TABLE lineitem (
    l_orderkey bigint NOT NULL, l_partkey bigint NOT NULL, l_suppkey bigint NOT NULL, l_linenumber integer NOT NULL,
    l_quantity numeric(15,2) NOT NULL, l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL, l_tax numeric(15,2) NOT NULL,
    l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
    l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL
);
INSERT INTO lineitem SELECT
    i / 4 + 1, (i * 7919::bigint) % 200000 + 1, (i * 104729::bigint) % 10000 + 1, i % 4 + 1,
    (i * 31::bigint) % 50 + 1, ((i * 48271::bigint) % 10494950 + 90091) / 100.0, (i % 11) / 100.0, (i % 9) / 100.0,
    substr('ANR', (i % 3)::int + 1, 1), (ARRAY['F', 'O'])[i % 2 + 1],
    date '1992-01-02' + (i * 17 % 2526)::int, date '1992-01-31' + (i * 13 % 2466)::int, date '1992-01-04' + (i * 11 % 2554)::int,
    (ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[i % 4 + 1],
    (ARRAY['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'])[i % 7 + 1],
    substr('carefully regular deposits ' || md5(i::text) || ' sleep quickly', 1 + (i % 10)::int, 10 + (i % 34)::int)
FROM generate_series(0, {rows} - 1) AS i;
CREATE INDEX ON lineitem (l_orderkey);
VACUUM ANALYZE lineitem;
"""


def service(root, name):
    subprocess.run([root / "scripts" / "services", "start"], check=True, stdout=subprocess.DEVNULL)
    for line in (root / "target/services/env").read_text().splitlines():
        key, value = line.split("=", 1)
        if key == name:
            return value
    sys.exit(f"{name} is not in target/services/env")


def psql(url, sql):
    return subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", url], input=sql, text=True, check=True, capture_output=True).stdout.strip()


def make(server, rows):
    name = f"bench_{rows}"
    if psql(f"{server}/postgres", f"SELECT count(*) FROM pg_database WHERE datname = '{name}'") == "0":
        psql(f"{server}/postgres", f"CREATE DATABASE {name}_part TEMPLATE template0")
        # One statement at a time: VACUUM may not be in a transaction.
        psql(f"{server}/{name}_part", LINEITEM.format(rows=rows))
        psql(f"{server}/postgres", f"ALTER DATABASE {name}_part RENAME TO {name}")
    return f"{server}/{name}"


def child(words, **more):
    """Seconds of the clock, seconds of the processor, peak memory in bytes; of a program and no other."""
    begun = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    output = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - begun
    if status != 0:
        sys.exit(f"{words[0]} failed:\n{output}")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


RIVAL = """
import duckdb, sys
url, out = sys.argv[1:]
connection = duckdb.connect(config={{"allow_unsigned_extensions": False}})
connection.execute("LOAD '{extension}'")
connection.execute("SET threads = {threads}; SET preserve_insertion_order = false")
connection.execute(f"ATTACH '{{url}}' AS source (TYPE postgres, READ_ONLY)")
connection.execute(f"COPY (FROM source.public.lineitem) TO '{{out}}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PER_THREAD_OUTPUT true)")
"""


def bench(root, comboi, rows, repeat, tell):
    server = service(root, "COMBOI_TEST_POSTGRES")
    url = make(server, rows)
    threads = os.cpu_count()
    extension = next((root / "target/bench/venv").rglob("postgres_scanner.duckdb_extension"))
    folder = root / "target/bench/extract"
    best = {}

    def keep(name, measured):
        best[name] = min(best.get(name, measured), measured)

    pages = int(psql(url, "SELECT pg_relation_size('lineitem') / 8192"))
    for _ in range(repeat):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "configs").mkdir(parents=True)
        (folder / "configs/default.yml").write_text(
            "sources:\n  - name: tpch\n    type: postgres\n    metadata_columns: false\n"
            f"    connection: {{conn_str: \"{url}\"}}\n    tables:\n      - {{name: lineitem, incremental_column: l_orderkey}}\n"
        )
        keep("comboi", child([comboi, "run", "bronze"], cwd=folder))
        out = folder / "duckdb"
        script = folder / "rival.py"
        script.write_text(RIVAL.format(extension=extension, threads=threads))
        keep("DuckDB", child([sys.executable, script, url, out]))
        begun = time.perf_counter()
        before = os.times()
        halves = [
            subprocess.Popen(
                ["psql", "-qX", url, "-c", f"COPY (SELECT * FROM lineitem WHERE ctid >= '({part * pages // threads},0)' AND ctid < '({(part + 1) * pages // threads + (part + 1 == threads)},0)') TO STDOUT (FORMAT binary)"],
                stdout=subprocess.DEVNULL,
            )
            for part in range(threads)
        ]
        if any(half.wait() for half in halves):
            sys.exit("psql failed")
        after = os.times()
        keep("COPY alone", (time.perf_counter() - begun, after.children_user + after.children_system - before.children_user - before.children_system, 0))
    for name, (took, cpu, peak) in best.items():
        memory = f", {peak / 1e6:.0f} MB" if peak else ""
        print(f"  {name:12} {took:6.2f} s {rows / took / 1e6:6.2f} million rows/s, {cpu:5.2f} CPU-s{memory}")
    comboi_rate = rows / best["comboi"][0]
    tell(f"extract of {rows:,} rows against DuckDB's postgres extension", f"{comboi_rate / (rows / best['DuckDB'][0]):.2f}x", ">= 1.20x")
    tell(f"the same against {threads} COPY … BINARY to /dev/null", f"{comboi_rate / (rows / best['COPY alone'][0]):.2f}x", ">= 0.70x")
    tell("peak memory of the extract", f"{best['comboi'][2] / 1e6:.0f} MB", "<= 200 MB")
    changed(comboi, folder, url, rows, repeat, tell)


def changed(comboi, folder, url, rows, repeat, tell):
    """A run that finds 1,000 new rows among all, against the bare query for them."""
    figures = []
    for number in range(repeat):
        first = rows // 4 + 1 + number * 1000
        psql(url, f"INSERT INTO lineitem SELECT {first} + i, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment FROM generate_series(1, 1000) i, LATERAL (SELECT * FROM lineitem LIMIT 1) l")
        bare = child(["psql", "-qX", url, "-c", f"COPY (SELECT * FROM lineitem WHERE l_orderkey >= {first}) TO STDOUT (FORMAT binary)"], env=os.environ)[0]
        figures.append((child([comboi, "run", "bronze"], cwd=folder)[0], bare))
    psql(url, f"DELETE FROM lineitem WHERE l_orderkey > {rows // 4 + 1}")
    run, bare = min(figure[0] for figure in figures), min(figure[1] for figure in figures)
    tell(f"a run that finds 1,000 new rows: {run:.3f} s; psql with the bare query: {bare:.3f} s", f"{run / bare:.2f}x", "< 1.50x")
