//! The program as a user meets it: small whole projects, run by the real binary.

#![allow(clippy::unwrap_used, reason = "what a test can not get ends the test")]

mod azure;
mod azure_sql;
mod bad_input;
mod commands;
mod contracts;
mod deduplicate;
mod demo;
mod files;
mod foreseen;
mod going;
mod identities;
mod incremental;
mod killed;
mod machine;
mod older_lake;
mod postgres;
mod readers;
mod retention;
mod rules;
mod serve;
mod told;
mod two_folders;
mod verify;
mod world;
