//! What tests share: an object store that fails on demand, and a look into one.

mod faulty;
mod look;

pub use faulty::{Fault, Faulty};
pub use look::{Store, contents, copy, memory, names, put, remove};
