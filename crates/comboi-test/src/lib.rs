//! What tests share: an object store that fails on demand, a look into one, and the servers that tests ask.

mod faulty;
mod look;
mod postgres;
mod services;

pub use faulty::{Fault, Faulty};
pub use look::{Store, contents, copy, memory, names, put, remove};
pub use postgres::Postgres;
pub use services::service;
