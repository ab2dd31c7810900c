//! Linkage from outside: Parquet files and settings in, pairs and clusters out.
#[cfg(test)]
mod any_model;
#[cfg(test)]
mod brought;
#[cfg(test)]
mod given;
#[cfg(test)]
mod people;
#[cfg(test)]
mod trained;
#[cfg(test)]
mod ways;
