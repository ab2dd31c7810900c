"""The azure suite of scripts/bench: how soon the handler answers, a run that finds nothing new in Azurite, and how fast files move."""

import base64
import collections
import email.utils
import hashlib
import hmac
import http.client
import http.server
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

from bench_extract import child, service

# Azurite's own account, the same everywhere.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2023-11-03"

TABLES = 20


def request(endpoint, method, path, body=b"", **headers):
    """A request to the blob service, signed with the account's key (Shared Key of version 2015-02-21 and later)."""
    address = urllib.parse.urlsplit(f"{endpoint}/{path}")
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": VERSION, **{name.replace("_", "-"): value for name, value in headers.items()}}
    length = str(len(body)) if body else ""
    own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    resource = f"/{ACCOUNT}{address.path}" + "".join(f"\n{name}:{value}" for name, value in sorted(urllib.parse.parse_qsl(address.query)))
    text = "\n".join([method, "", "", length, "", "", "", "", "", "", "", "", own + resource])
    signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
    connection = http.client.HTTPConnection(address.hostname, address.port)
    target = address.path + (f"?{address.query}" if address.query else "")
    connection.request(method, target, body or None, {**headers, "Authorization": f"SharedKey {ACCOUNT}:{signature}", "Content-Length": str(len(body))})
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {found[:300]}")
    return found


class Counting(http.server.BaseHTTPRequestHandler):
    """Hands requests on, and counts them by what they are about."""

    protocol_version = "HTTP/1.1"
    seen = collections.Counter()
    to = None

    def hand_on(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        about = path.split("/", 3)[-1] if "restype=container" not in query else "list " + urllib.parse.parse_qs(query).get("prefix", [""])[0]
        self.seen[(self.command, about)] += 1
        connection = http.client.HTTPConnection(*self.to)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        found = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(found)) if self.command == "HEAD" else str(len(found)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(found)
        connection.close()

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = hand_on

    def log_message(self, *_):
        pass


def project(folder, endpoint, containers):
    """A project of 20 tables with a file each, whose lake is in Azurite."""
    shutil.rmtree(folder, ignore_errors=True)
    tables = stages = ""
    for i in range(TABLES):
        (folder / f"in/t{i}").mkdir(parents=True)
        (folder / f"in/t{i}/a.csv").write_text("id,v\n" + "".join(f"{n},{n * i}\n" for n in range(100)))
        tables += f"      - {{name: t{i}, files: 't{i}/*.csv'}}\n"
    for stage, container in containers.items():
        stages += f"  {stage}:\n    data_lake: {{account_name: {ACCOUNT}, file_system: {container}, endpoint: '{endpoint}', credential: '{KEY}'}}\n"
    (folder / "configs").mkdir()
    (folder / "configs/default.yml").write_text(f"sources:\n  - name: app\n    type: files\n    path: in\n    tables:\n{tables}stages:\n{stages}")


def first_answer(comboi, folder):
    """Seconds from the start of the handler's process to its first answer to `GET /`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.perf_counter()
    handler = subprocess.Popen([comboi, "serve"], cwd=folder, env={**os.environ, "FUNCTIONS_CUSTOMHANDLER_PORT": str(port)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("GET", "/")
                if connection.getresponse().status == 200:
                    return time.perf_counter() - begun
            except OSError:
                if time.perf_counter() - begun > 30:
                    sys.exit("comboi serve does not answer")
                time.sleep(0.001)
    finally:
        handler.terminate()
        handler.wait()


def bench(root, comboi, repeat, tell):
    endpoint = service(root, "COMBOI_TEST_AZURITE_BLOB")
    mark = uuid.uuid4().hex[:12]
    containers = {stage: f"bench-{stage}-{mark}" for stage in ("bronze", "silver", "gold")}
    for container in containers.values():
        request(endpoint, "PUT", f"{container}?restype=container")
    folder = root / "target/bench/azure"
    project(folder, endpoint, containers)
    python = root / "target/bench/venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "adlfs", "azure-identity"], check=True)

    tell("comboi serve, from its start to the first answer", f"{min(first_answer(comboi, folder) for _ in range(repeat * 5)) * 1000:.0f} ms", "< 50 ms")
    child([comboi, "run", "bronze"], cwd=folder)
    idle = min(child([comboi, "run", "bronze"], cwd=folder)[0] for _ in range(repeat + 2))
    imports = min(child([python, "-c", "import duckdb, adlfs, azure.identity"])[0] for _ in range(repeat))
    tell(f"a run that finds nothing new in {TABLES} tables in Azurite; Python only to import duckdb, adlfs and azure.identity: {imports:.2f} s", f"{idle:.2f} s", "< 1.5 s")
    count(comboi, folder, endpoint, containers)
    transfer(root, comboi, endpoint, repeat, tell)
    for container in containers.values():
        request(endpoint, "DELETE", f"{container}?restype=container")


def count(comboi, folder, endpoint, containers):
    """Prints what such a run asks the storage for."""
    address = urllib.parse.urlsplit(endpoint)
    Counting.to = (address.hostname, address.port)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = folder / "configs/default.yml"
    config.write_text(config.read_text().replace(endpoint, f"http://127.0.0.1:{server.server_port}/{ACCOUNT}"))
    child([comboi, "run", "bronze"], cwd=folder)
    server.shutdown()
    kinds = collections.Counter()
    for (method, about), times in Counting.seen.items():
        if "_comboi/runs" in about:
            what = "the state of the run"
        elif "_comboi" in about:
            what = "the record of runs"
        else:
            what = "tables"
        kinds[(method, what)] += times
    print(f"  {sum(kinds.values())} requests:", ", ".join(f"{times} {method} for {what}" for (method, what), times in sorted(kinds.items())))


def delete(endpoint, name):
    for stage in ("bronze", "silver", "gold"):
        request(endpoint, "DELETE", f"{name}-{stage}?restype=container")


def moved(comboi, source, folder, stages):
    """Seconds of an extract of one file, and those of a build that reads all of it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "configs").mkdir(parents=True)
    (folder / "transformations/sql").mkdir(parents=True)
    (folder / "configs/default.yml").write_text(f"sources:\n  - {{name: app, type: files, path: '{source}', metadata_columns: false, tables: [{{name: t, files: '*.parquet'}}]}}\n{stages}")
    (folder / "configs/transformations.yml").write_text("silver:\n  - {name: counted, inputs: [{alias: t, dataset: app/t}]}\n")
    (folder / "transformations/sql/counted.sql").write_text("SELECT count(*) AS n FROM t\n")
    return [child([comboi, "run", stage], cwd=folder)[0] for stage in ("bronze", "silver")]


def transfer(root, comboi, endpoint, repeat, tell):
    """What a lake in Azurite costs more than one on this disk, for a large file and for a file of one row: between the two is the way of the bytes. Against
    a plain HTTP client with the same bytes."""
    import duckdb

    sources = {rows: root / f"target/bench/transfer-{rows}" for rows in (1, 12_000_000)}
    for rows, source in sources.items():
        if not (source / "file.parquet").exists():
            source.mkdir(parents=True, exist_ok=True)
            duckdb.execute(f"COPY (SELECT range AS id, md5(range::VARCHAR) AS note FROM range({rows})) TO '{source}/file.parquet' (FORMAT parquet, COMPRESSION zstd)")
    ours, plain = [], []
    for _ in range(repeat):
        more = {}
        for rows, source in sources.items():
            name = f"bench-{uuid.uuid4().hex[:12]}"
            stages = "stages:\n"
            for stage in ("bronze", "silver", "gold"):
                request(endpoint, "PUT", f"{name}-{stage}?restype=container")
                stages += f"  {stage}:\n    data_lake: {{account_name: {ACCOUNT}, file_system: {name}-{stage}, endpoint: '{endpoint}', credential: '{KEY}'}}\n"
            here = moved(comboi, source, root / "target/bench/moved", "")
            there = moved(comboi, source, root / "target/bench/moved-azure", stages)
            more[rows] = [b - a for a, b in zip(here, there)]
            if rows == 1:
                delete(endpoint, name)
        [stored] = (root / "target/bench/moved/data/bronze/app").rglob("*.parquet")
        ours.append([large - small for small, large in zip(*more.values())])
        begun = time.perf_counter()
        body = stored.read_bytes()
        request(endpoint, "PUT", f"{name}-gold/plain", body, x_ms_blob_type="BlockBlob")
        up = time.perf_counter() - begun
        begun = time.perf_counter()
        found = request(endpoint, "GET", f"{name}-gold/plain")
        (root / "target/bench/plain").write_bytes(found)
        plain.append((up, time.perf_counter() - begun))
        assert len(found) == len(body)
        delete(endpoint, name)
    for place, word in enumerate(("upload", "download")):
        # Of differences, the least is that of the luckiest turn.
        mine, theirs = (statistics.median(it[place] for it in of) for of in (ours, plain))
        tell(f"{word} of {len(body) / 1e6:.0f} MB to Azurite in {mine:.2f} s; http.client in {theirs:.2f} s", f"{theirs / mine:.2f}x", ">= 0.80x")
