//! Reading people's files (CSV, JSON, Parquet) into staged Parquet.
