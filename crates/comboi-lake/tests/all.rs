//! What the lake promises, held against real stores: in memory, faulty, and folders.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first surprise, also in what its tests share"
)]

#[path = "all/by_hand.rs"]
mod by_hand;
#[path = "all/columns.rs"]
mod columns;
#[path = "all/commits.rs"]
mod commits;
#[path = "all/digests.rs"]
mod digests;
#[path = "all/faults.rs"]
mod faults;
#[path = "all/folders.rs"]
mod folders;
#[path = "all/indexed.rs"]
mod indexed;
#[path = "all/logs.rs"]
mod logs;
#[path = "all/looked_after.rs"]
mod looked_after;
#[path = "all/near.rs"]
mod near;
#[path = "all/upkeep.rs"]
mod upkeep;
#[path = "all/world.rs"]
mod world;
