//! The engine from outside: files and SQL in, files and messages out.
#[cfg(test)]
mod build;
#[cfg(test)]
mod check;
#[cfg(test)]
mod dedupe;
#[cfg(test)]
mod measure;
#[cfg(test)]
mod pruning;
