//! A private folder for files on their way into a lake that is elsewhere.
//!
//! The system's folder for temporary files belongs to everybody, so a fixed name in it could be taken by somebody else first. Each process
//! makes a folder of a name that nobody can foresee, which only its own user may enter, and holds a lock in it as long as it lives. What a
//! process left behind that was killed is known by its owner and its lock, and removed by the next one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Context as _;

/// What the names begin with.
const PREFIX: &str = "comboi-";
/// The file in the folder that its process holds locked.
const LOCK: &str = "lock";

struct Private {
    folder: tempfile::TempDir,
    _lock: File,
}

/// The folder of this process, once it has one.
static PRIVATE: Mutex<Option<Private>> = Mutex::new(None);

/// The private folder of this process.
pub(crate) fn private() -> anyhow::Result<PathBuf> {
    let mut private = PRIVATE.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(private) = &*private {
        return Ok(private.folder.path().to_owned());
    }
    let everybodys = std::env::temp_dir();
    sweep(&everybodys);
    let made = make(&everybodys).with_context(|| {
        format!(
            "a private folder in `{}` could not be made; `TMPDIR` or `engine.temp_directory` says where else",
            everybodys.display()
        )
    })?;
    let path = made.folder.path().to_owned();
    *private = Some(made);
    Ok(path)
}

/// Removes the folder of this process, if it has one.
pub(crate) fn remove() {
    let mut private = PRIVATE.lock().unwrap_or_else(|e| e.into_inner());
    drop(private.take());
}

/// Makes a folder that only this user may enter, if it is not there.
pub(crate) fn make_own(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A folder of a random name that only this user may enter, gone when it is dropped.
pub(crate) fn temporary(within: &Path, prefix: &str) -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(within)
}

fn make(within: &Path) -> std::io::Result<Private> {
    let folder = temporary(within, PREFIX)?;
    let lock = File::create_new(folder.path().join(LOCK))?;
    lock.lock()?;
    Ok(Private {
        folder,
        _lock: lock,
    })
}

/// Removes what processes of this user left behind that are gone.
fn sweep(within: &Path) {
    let entries = fs::read_dir(within).into_iter().flatten().flatten();
    let named = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(PREFIX);
    for entry in entries.filter(|entry| named(&entry.file_name())) {
        if is_left_behind(&entry.path()).unwrap_or(false) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Whether a folder is this user's and its process is gone. One that has no lock yet is about to get one.
fn is_left_behind(folder: &Path) -> std::io::Result<bool> {
    let about = fs::symlink_metadata(folder)?;
    if !about.is_dir() || !is_own(&about)? {
        return Ok(false);
    }
    let lock = File::open(folder.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Whether something is of the user of this process: the owner of a file that it makes.
#[cfg(unix)]
fn is_own(about: &fs::Metadata) -> std::io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let own = tempfile::tempfile()?.metadata()?.uid();
    Ok(about.uid() == own && about.mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_own(_: &fs::Metadata) -> std::io::Result<bool> {
    // The system's folder for temporary files is the user's own there.
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_is_private_and_goes_once_its_process_is_gone() {
        use std::os::unix::fs::PermissionsExt as _;
        let within = tempfile::tempdir().unwrap();
        let first = make(within.path()).unwrap();
        let path = first.folder.path().to_owned();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        // Somebody's folder, a link to a folder, and one that is used.
        let other = within.path().join("comboi-other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join(LOCK), "").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join(LOCK), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), within.path().join("comboi-link")).unwrap();
        sweep(within.path());
        assert!(path.join(LOCK).exists(), "it is in use");
        assert!(
            other.exists(),
            "others may enter it, so it is not one of these"
        );
        // A process that is killed closes its files and removes nothing.
        let Private { folder, _lock } = first;
        let left = folder.keep();
        drop(_lock);
        sweep(within.path());
        assert!(!left.exists());
        assert!(elsewhere.path().join(LOCK).exists());
    }
}
