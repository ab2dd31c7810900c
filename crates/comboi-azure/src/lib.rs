//! Azure's own services: tokens of Microsoft Entra, secrets of a Key Vault, the queue of tasks.
//!
//! The protocols of tokens and secrets are left to Microsoft's own crates. Patience, memory and words are ours: HTTP, retries, what
//! is kept and for how long, and what people are told when something fails, so that no secret gets into a message. Nothing is
//! contacted, and no certificate is read, before something is asked for.

mod failure;
mod keep;
mod machine;
mod wait;
mod wire;

mod identity;
mod sign_in;
mod tool;

mod vault;

mod queue;

pub use identity::{Identities, NoToken};
pub use machine::Machine;
pub use queue::{Connection, QueueError, Seen, TaskQueue};
pub use vault::Vault;
