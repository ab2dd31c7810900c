//! What a contract says that can't be.
pub(crate) fn check() {}
