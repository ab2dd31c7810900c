//! Runs over stores that misbehave: whatever dies, lies or comes late, each row is in the lake once.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first surprise, also in what its tests share"
)]

mod begun;
mod by_hand;
mod damage;
mod damaged_lake;
mod deduplicated;
mod every_write;
mod files_read;
mod going;
mod linked;
mod reread;
mod retention;
mod retry;
mod shop;
mod stop;
mod two_runners;
mod zombie;
