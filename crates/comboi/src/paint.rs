//! Colours at a terminal, for words that say how something ended.

use comboi_project::Severity;
use comboi_run::Outcome;

/// Puts colours on words, or leaves them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// For a person at a terminal.
    Colours,
    /// For files, pipes, and whoever sets `NO_COLOR`.
    Plain,
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const GREY: u8 = 90;

impl Paint {
    /// A word about how a task ended. `text` may have been padded already.
    pub(crate) fn outcome(self, outcome: Outcome, text: &str) -> String {
        let colour = match outcome {
            Outcome::Succeeded => GREEN,
            Outcome::Skipped => GREY,
            Outcome::Failed => RED,
            Outcome::UpstreamFailed | Outcome::Stopped => YELLOW,
        };
        self.coloured(colour, text)
    }

    /// A word about a rule that does not hold.
    pub(crate) fn severity(self, severity: Severity) -> String {
        let colour = match severity {
            Severity::Error => RED,
            Severity::Warning => YELLOW,
            Severity::Info => GREY,
        };
        self.coloured(colour, severity.as_str())
    }

    /// A word about whether all is well.
    pub(crate) fn verdict(self, good: bool, text: &str) -> String {
        self.coloured(if good { GREEN } else { RED }, text)
    }

    fn coloured(self, colour: u8, text: &str) -> String {
        match self {
            Self::Colours => format!("\x1b[{colour}m{text}\x1b[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}
