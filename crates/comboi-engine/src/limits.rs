//! How much of the machine a task may use.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::thread;

const MIB: u64 = 1024 * 1024;
/// What the rest of the program needs beside DuckDB: the runtime, the Delta log, upload buffers.
const RESERVE: u64 = 128 * MIB;
/// What a thread holds in memory while the others spill: a sort of three columns written as Parquet took 61 MiB with
/// one thread and failed there with two.
const LEAST: u64 = 64 * MIB;

/// How much of the machine a task may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// DuckDB's buffers; what does not fit is spilled to the scratch folder.
    pub memory_bytes: u64,
    /// At least 1. No more than one for each 64 MiB of memory are used.
    pub threads: usize,
    /// How much may be spilled; `None`: what the disk holds.
    pub max_spill_bytes: Option<u64>,
}

impl Limits {
    /// 70 % of the memory of this machine or of the least of the control groups around this process (cgroup v1 or v2: containers, services)
    /// without 128 MiB for the rest of the program, and all the processors it may use.
    pub fn of_machine() -> Self {
        Self::from_memory(
            memory_below(Path::new("/")).unwrap_or(2048 * MIB),
            processors(Path::new("/")),
        )
    }

    /// The same, but so that the whole program keeps within this much memory: DuckDB gets 128 MiB less.
    #[must_use]
    pub fn within(self, memory: u64) -> Self {
        Self {
            memory_bytes: memory.saturating_sub(RESERVE).max(LEAST),
            ..self
        }
    }

    fn from_memory(memory: u64, threads: usize) -> Self {
        let memory_bytes = (memory / 10 * 7).saturating_sub(RESERVE).max(LEAST);
        Self {
            memory_bytes,
            threads: threads.max(1),
            max_spill_bytes: None,
        }
    }

    /// The share of one of `tasks` tasks that run at once.
    #[must_use]
    pub fn shared_by(&self, tasks: usize) -> Self {
        let tasks = tasks.max(1);
        let parts = u64::try_from(tasks).unwrap_or(u64::MAX);
        Self {
            memory_bytes: (self.memory_bytes / parts).max(LEAST),
            threads: (self.threads / tasks).max(1),
            max_spill_bytes: self.max_spill_bytes.map(|bytes| bytes / parts),
        }
    }
}

impl Limits {
    /// As many threads as the memory has room for.
    pub(crate) fn useful_threads(&self) -> usize {
        let room = usize::try_from(self.memory_bytes / LEAST).unwrap_or(usize::MAX);
        self.threads.min(room).max(1)
    }
}

/// The least of what the machine has and what the control groups allow that this process is in.
fn memory_below(root: &Path) -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(root.join(path)).ok();
    let physical = read(Path::new("proc/meminfo")).and_then(|text| meminfo_total(&text));
    let said = read(Path::new("proc/self/cgroup")).unwrap_or_default();
    let allowed = memory_files(&said);
    let allowed = allowed
        .iter()
        .filter_map(|path| read(path)?.trim().parse::<u64>().ok());
    physical.into_iter().chain(allowed).min()
}

/// Where the limits stand of the groups that `/proc/self/cgroup` names, and of those around them. In a container the names may be those of
/// the machine outside, and what is mounted is the container's own group: the outermost one counts always.
fn memory_files(said: &str) -> Vec<PathBuf> {
    let (version_1, version_2) = ("sys/fs/cgroup/memory", "sys/fs/cgroup");
    let mut files = vec![
        Path::new(version_1).join("memory.limit_in_bytes"),
        Path::new(version_2).join("memory.max"),
    ];
    for line in said.lines() {
        // `4:memory:/app` in version 1, `0::/app` in version 2.
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next(), fields.next().unwrap_or_default());
        let (mounted, file) = match controllers {
            Some("") => (version_2, "memory.max"),
            Some(names) if names.split(',').any(|name| name == "memory") => {
                (version_1, "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(group.trim_start_matches('/'));
        // What is above the mount (`..`) is another's.
        let plain = group
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let groups = group.ancestors().filter(|_| plain);
        files.extend(groups.map(|group| Path::new(mounted).join(group).join(file)));
    }
    files
}

fn meminfo_total(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// The processors that the scheduler gives us; the standard library already heeds affinity and cgroup v2 quotas,
/// version 1 is looked up here.
fn processors(root: &Path) -> usize {
    let seen = thread::available_parallelism().map_or(1, usize::from);
    let read = |name: &str| {
        let text = fs::read_to_string(root.join("sys/fs/cgroup/cpu").join(name)).ok()?;
        text.trim().parse::<i64>().ok()
    };
    let quota = read("cpu.cfs_quota_us").zip(read("cpu.cfs_period_us"));
    match quota {
        Some((quota, period)) if quota > 0 && period > 0 => {
            let whole = usize::try_from((quota + period - 1) / period).unwrap_or(seen);
            seen.min(whole.max(1))
        }
        _ => seen,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_limit_is_for_the_whole_program() {
        let limits = Limits::of_machine();
        assert_eq!(limits.within(512 * MIB).memory_bytes, 384 * MIB);
        assert_eq!(limits.within(1).memory_bytes, 64 * MIB);
    }

    use super::*;

    fn check(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        memory_below(root.path())
    }

    #[test]
    fn the_least_of_machine_and_container_counts() {
        let machine = (
            "proc/meminfo",
            "MemTotal:        2097152 kB\nMemFree: 1 kB\n",
        );
        assert_eq!(check(&[machine]), Some(2_147_483_648));
        assert_eq!(
            check(&[machine, ("sys/fs/cgroup/memory.max", "536870912\n")]),
            Some(536_870_912)
        );
        assert_eq!(
            check(&[machine, ("sys/fs/cgroup/memory.max", "max\n")]),
            Some(2_147_483_648)
        );
        let version_1 = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
        assert_eq!(check(&[machine, version_1]), Some(1_073_741_824));
        let no_limit = (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        assert_eq!(check(&[machine, no_limit]), Some(2_147_483_648));
        assert_eq!(check(&[]), None);
    }

    #[test]
    fn a_group_inside_of_others_counts_with_those_around_it() {
        let machine = ("proc/meminfo", "MemTotal:        2097152 kB\n");
        let no_limit = (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        let inside = (
            "proc/self/cgroup",
            "9:name=systemd:/\n4:cpuset,memory:/app/task\n0::/\n",
        );
        let own = (
            "sys/fs/cgroup/memory/app/task/memory.limit_in_bytes",
            "805306368\n",
        );
        assert_eq!(check(&[machine, no_limit, inside, own]), Some(805_306_368));
        let around = (
            "sys/fs/cgroup/memory/app/memory.limit_in_bytes",
            "536870912\n",
        );
        assert_eq!(check(&[machine, inside, own, around]), Some(536_870_912));
        // A service with `MemoryMax=`, in version 2.
        let service = ("proc/self/cgroup", "0::/system.slice/comboi.service\n");
        let most = (
            "sys/fs/cgroup/system.slice/comboi.service/memory.max",
            "268435456\n",
        );
        assert_eq!(check(&[machine, service, most]), Some(268_435_456));
        // A group of the machine outside that is not mounted here, and one that is not below what is.
        let outside = (
            "proc/self/cgroup",
            "4:memory:/docker/0a419aac\n0::/../x:y\n",
        );
        let container = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "402653184\n");
        assert_eq!(check(&[machine, outside, container]), Some(402_653_184));
    }

    #[test]
    fn a_share_is_never_too_small_to_work_with() {
        let all = Limits {
            memory_bytes: 1000 * MIB,
            threads: 4,
            max_spill_bytes: Some(1000),
        };
        assert_eq!(
            all.shared_by(4),
            Limits {
                memory_bytes: 250 * MIB,
                threads: 1,
                max_spill_bytes: Some(250)
            }
        );
        assert_eq!(
            all.shared_by(100),
            Limits {
                memory_bytes: LEAST,
                threads: 1,
                max_spill_bytes: Some(10)
            }
        );
        assert_eq!(all.shared_by(0), all);
    }

    #[test]
    fn threads_need_memory() {
        let threads = |mib: u64| {
            Limits {
                memory_bytes: mib * MIB,
                threads: 4,
                max_spill_bytes: None,
            }
            .useful_threads()
        };
        assert_eq!([16, 64, 130, 256, 4096].map(threads), [1, 1, 2, 4, 4]);
    }

    #[test]
    fn seventy_percent_without_the_reserve() {
        assert_eq!(Limits::from_memory(1000 * MIB, 0).memory_bytes, 572 * MIB);
        assert_eq!(Limits::from_memory(100 * MIB, 2).memory_bytes, LEAST);
    }
}
