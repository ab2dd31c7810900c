//! DuckDB, and the only place where SQL text is put together.
