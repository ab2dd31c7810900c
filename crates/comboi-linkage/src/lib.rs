//! Records of the same thing, found as Splink finds them: Fellegi and Sunter's model, natively.
//!
//! [`Settings`] are Splink's, read from its JSON or made of an [`Easy`] description. A [`Linkage`] reads records once for them; it trains the
//! model, predicts which pairs are the same thing, and joins those to clusters. A model brought from Splink gives the same weights here.
//!
//! DuckDB parses conditions and computes what is about one record; what is about two is compared natively, and by DuckDB where that
//! is not known here, with the same result.

mod error;
pub mod quality;
mod settings;

mod easy;
mod keys;

mod compile;
mod expression;

mod dictionary;
mod load;
mod text;

mod pair;
mod rules;
mod walk;

mod linkage;
mod model;

mod cluster;
mod explain;
mod gammas;
mod predict;
mod train;
mod unlinkable;

pub use easy::Easy;
pub use error::Error;
pub use explain::{Bar, Waterfall};
pub use keys::rules_of_keys;
pub use linkage::{Linkage, Records, Way};
pub use model::{probability_of, weight_of};
pub use predict::{Pairs, Predict};
pub use rules::RulePairs;
pub use settings::{Comparison, Level, LinkType, Rule, Settings, SplinkVersion, TermFrequency};
pub use train::{EmRound, EmSession, Lambda, Training, TrainingReport};
