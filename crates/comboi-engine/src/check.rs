//! Holding a staged dataset against its contract.
