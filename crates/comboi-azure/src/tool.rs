//! The tools that developers log in with.

use std::ffi::OsStr;
use std::io;
use std::process::{Output, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use azure_identity::Executor;

/// They are scripts of Python's and take a second; asking a person for something is not what they are run for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a tool, and ends it when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Tools;

#[async_trait]
impl Executor for Tools {
    async fn run(&self, program: &OsStr, words: &[&OsStr]) -> io::Result<Output> {
        let output = tokio::process::Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        tokio::time::timeout(PATIENCE, output)
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")))
    }
}
