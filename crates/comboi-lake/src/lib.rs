//! Datasets: Delta tables over object storage.
