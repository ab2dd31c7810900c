//! Which process does a run, and whether it is still there.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// A process, told from every other one of any machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The machine's name, for people.
    pub host: String,
    /// The machine since it was last started, as far as it can be told: process numbers mean something only there. A container is
    /// a machine of its own.
    pub machine: String,
    /// The process's number.
    pub pid: u32,
    /// When it was started, in the machine's own unit: numbers are given again.
    pub started: String,
}

impl Process {
    /// This one. Where the system does not tell the machine, it is of a machine that nobody knows.
    pub fn this() -> Self {
        let read = |path: &str| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.trim().to_owned()
        };
        let host = read("/proc/sys/kernel/hostname");
        let boot = read("/proc/sys/kernel/random/boot_id");
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let pid = std::process::id();
        let machine = match boot.as_str() {
            "" => uuid::Uuid::new_v4().simple().to_string(),
            boot => format!("{host} {boot} {}", namespace.display()),
        };
        Self {
            host,
            machine,
            pid,
            started: started(pid).unwrap_or_default(),
        }
    }

    /// Whether it is there, seen from another process; `None` when that one is on another machine.
    pub(crate) fn is_there(&self, from: &Self) -> Option<bool> {
        let same_machine = self.machine == from.machine;
        same_machine.then(|| started(self.pid).as_ref() == Some(&self.started))
    }
}

/// When a process of this machine was started; `None` when it is not there.
fn started(pid: u32) -> Option<String> {
    let path = Path::new("/proc").join(pid.to_string()).join("stat");
    let stat = std::fs::read_to_string(path).ok()?;
    // The second field is the program's name in parentheses, which may have blanks; the start is the 22nd field.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    // A process that has ended and that nobody has waited for is no more.
    let ended = fields.next()? == "Z";
    let started = fields.nth(18)?.to_owned();
    (!ended).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_there_until_it_has_ended() {
        let this = Process::this();
        assert_eq!(this.is_there(&Process::this()), Some(true));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let of_child = Process {
            pid: child.id(),
            started: started(child.id()).unwrap(),
            ..this.clone()
        };
        assert_eq!(of_child.is_there(&this), Some(true));
        let number_given_again = Process {
            started: "1".to_owned(),
            ..of_child.clone()
        };
        assert_eq!(number_given_again.is_there(&this), Some(false));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(of_child.is_there(&this), Some(false));
        let elsewhere = Process {
            machine: "another".to_owned(),
            ..this.clone()
        };
        assert_eq!(elsewhere.is_there(&this), None);
    }
}
