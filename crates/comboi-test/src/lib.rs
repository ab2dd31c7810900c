//! What tests share: an object store that fails on demand, a look into one, and the servers that tests ask.

mod azurite;
mod fake_azure;
mod faulty;
mod fickle;
mod functions_host;
mod look;
mod postgres;
mod proxy;
mod services;
pub mod tds;

pub use azurite::{ACCOUNT, ACCOUNT_KEY, Answer, Azurite};
pub use fake_azure::FakeAzure;
pub use faulty::{Fault, Faulty};
pub use fickle::{Fate, Fates, Fickle, Times};
pub use functions_host::{FunctionsHost, Invocation, Settings, Timer};
pub use look::{Store, contents, copy, create, get, memory, names, put, remove};
pub use postgres::Postgres;
pub use proxy::{Hitch, Mishap, Proxy};
pub use services::service;
