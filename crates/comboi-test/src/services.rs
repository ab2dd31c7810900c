//! The servers that `scripts/services` starts.

use std::path::Path;

/// Where a server is: from the environment, else from what `scripts/services` wrote. Without it the test ends: a test that needs a
/// server must not pass without one.
///
/// # Panics
/// When the server was not started.
#[expect(
    clippy::disallowed_methods,
    reason = "a test may be told where its servers are"
)]
pub fn service(name: &str) -> String {
    if let Ok(value) = std::env::var(name) {
        return value;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/services/env");
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    match found {
        Some(value) => value.to_owned(),
        None => panic!("the servers that tests need do not run: scripts/services start"),
    }
}
