//! Says in one line what to do when the DuckDB library is not there, before the linker says it in many.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    let folder = PathBuf::from(std::env::var_os("DUCKDB_LIB_DIR").unwrap_or_default());
    let there = ["libduckdb.so", "libduckdb.dylib"]
        .iter()
        .map(|name| folder.join(name))
        .find(|library| library.is_file());
    match there {
        Some(library) => println!("cargo::rerun-if-changed={}", library.display()),
        None => println!(
            "cargo::error=the DuckDB library is not there yet: run scripts/duckdb-library, then build again"
        ),
    }
}
