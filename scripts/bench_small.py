"""The small-instance suite of scripts/bench: the reference pipeline where a small Functions instance would run it.

512 MB of memory, page cache included, and 800 MB of disk: a control group without swap, and a file system in a file. The lake is in Azurite, the source
outside of both. Nothing is said about memory in the configuration: the program finds the limit itself.
"""

import os
import pathlib
import shutil
import subprocess
import threading
import time
import uuid

from bench_azure import ACCOUNT, KEY, request
from bench_extract import service

MEMORY = 512 << 20
DISK = 800_000_000
GROUPS = pathlib.Path("/sys/fs/cgroup")


class Group:
    """A control group with a limit, of version 1 or 2."""

    def __init__(self):
        name = f"comboi-bench-{os.getpid()}"
        self.first = (GROUPS / "memory/memory.limit_in_bytes").exists()
        self.folder = GROUPS / "memory" / name if self.first else GROUPS / name
        self.folder.mkdir()
        if self.first:
            (self.folder / "memory.limit_in_bytes").write_text(str(MEMORY))
        else:
            (self.folder / "memory.max").write_text(str(MEMORY))
            if (self.folder / "memory.swap.max").exists():
                (self.folder / "memory.swap.max").write_text("0")

    def enter(self):
        """Called in the child, before the program begins."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self):
        """Most bytes that were charged at once, page cache included."""
        return int((self.folder / ("memory.max_usage_in_bytes" if self.first else "memory.peak")).read_text())

    def kills(self):
        text = (self.folder / ("memory.oom_control" if self.first else "memory.events")).read_text()
        return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))

    def remove(self):
        self.folder.rmdir()


class Disk:
    """A file system of its own in a file."""

    def __init__(self, folder):
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as image:
            image.truncate(DISK)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", self.image], check=True)
        subprocess.run(["mount", "-o", "loop", self.image, self.place], check=True, capture_output=True, text=True)
        self.empty = self.used()
        self.most = 0

    def used(self):
        found = os.statvfs(self.place)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def watch(self, ended):
        while not ended.wait(0.02):
            self.most = max(self.most, self.used() - self.empty)

    def remove(self):
        subprocess.run(["umount", self.place], check=True)


def project(folder, source, endpoint, containers, silver, gold):
    stages = ""
    for stage, container in containers.items():
        stages += f"  {stage}:\n    data_lake: {{account_name: {ACCOUNT}, file_system: {container}, endpoint: '{endpoint}', credential: '{KEY}'}}\n"
    (folder / "configs").mkdir(parents=True)
    (folder / "transformations/sql").mkdir(parents=True)
    (folder / "tmp").mkdir()
    (folder / "configs/default.yml").write_text(
        f"sources:\n  - {{name: app, type: files, path: '{source}', tables: [{{name: events, files: '*.parquet'}}]}}\nstages:\n{stages}"
    )
    (folder / "configs/transformations.yml").write_text(
        "silver:\n  - {name: events_clean, inputs: [{alias: bronze_events, dataset: app/events}]}\ngold:\n  - {name: daily, inputs: [{alias: events, dataset: events_clean}]}\n"
    )
    (folder / "transformations/sql/events_clean.sql").write_text(silver)
    (folder / "transformations/sql/daily.sql").write_text(gold)


def confined(comboi, folder, group, disk, library):
    """Runs everything inside; how it ended, what it said, seconds, and the most memory of the process."""
    environment = {"TMPDIR": str(folder / "tmp"), "PATH": os.environ["PATH"], "LD_LIBRARY_PATH": library}
    ended = threading.Event()
    watch = threading.Thread(target=disk.watch, args=(ended,))
    watch.start()
    begun = time.perf_counter()
    child = subprocess.Popen([comboi, "run", "all"], cwd=folder, env=environment, preexec_fn=group.enter, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    took = time.perf_counter() - begun
    ended.set()
    watch.join()
    return status, output, took, usage.ru_maxrss * 1024


def bench(root, bench_folder, comboi, source, rows, silver, gold, tell):
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        print("SKIPPED: small-instance makes a control group and a file system in a file; that needs root and mkfs.ext4", flush=True)
        return
    endpoint = service(root, "COMBOI_TEST_AZURITE_BLOB")
    mark = uuid.uuid4().hex[:12]
    containers = {stage: f"small-{stage}-{mark}" for stage in ("bronze", "silver", "gold")}
    folder = bench_folder / "small-instance"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    group = disk = None
    try:
        try:
            group = Group()
            disk = Disk(folder)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"SKIPPED: small-instance found no control group of memory or no loop device here: {error}", flush=True)
            return
        for container in containers.values():
            request(endpoint, "PUT", f"{container}?restype=container")
        inside = disk.place / "app"
        project(inside, source, endpoint, containers, silver, gold)
        library = os.environ.get("LD_LIBRARY_PATH", str(root / "target/duckdb"))
        status, output, took, peak = confined(comboi, inside, group, disk, library)
        for container in containers.values():
            request(endpoint, "DELETE", f"{container}?restype=container")
        good = status == 0
        what = f"{rows:,} rows with {MEMORY >> 20} MiB and {DISK // 1_000_000} MB of disk: {took:.0f} s, most {peak / 1e6:.0f} MB of memory and {disk.most / 1e6:.0f} MB of disk"
        tell(what, "finishes" if good else "FAILS", "finishes")
        print(f"  the group had {group.peak() / 1e6:.0f} MB at most, page cache included; {group.kills()} processes were killed", flush=True)
        if not good:
            raise SystemExit(f"status {status}:\n{output}")
    finally:
        if disk:
            disk.remove()
        if group:
            group.remove()
        shutil.rmtree(folder, ignore_errors=True)
