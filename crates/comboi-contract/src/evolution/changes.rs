//! What differs between two promises, and whom it breaks.

use std::cmp::Ordering;
use std::fmt;

use comboi_project::{Compatibility, EvolutionMode};
use serde::Serialize;

use super::widths::widens;
use super::{Measure, Policy, Promise, PromisedColumn, PromisedRule, Version};

/// Which number of a version has to go up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bump {
    /// Nothing changed that a version speaks of.
    None,
    /// Only words.
    Patch,
    /// Something was added, or promised more strictly.
    Minor,
    /// Readers break.
    Major,
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// In words: `column `a` is gone`.
    pub what: String,
    /// Whether it breaks those who have to keep working.
    pub breaking: bool,
    /// What it demands of the version.
    pub demands: Bump,
}

/// How two versions of a contract differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The version before.
    pub old: Option<String>,
    /// The version now.
    pub new: Option<String>,
    /// What changed, what breaks first.
    pub changes: Vec<Change>,
    /// What all changes together demand.
    pub demanded: Bump,
    /// What the version numbers say.
    pub given: Bump,
}

impl Difference {
    /// Whether something breaks those who have to keep working.
    pub fn is_breaking(&self) -> bool {
        self.changes.iter().any(|change| change.breaking)
    }

    /// The least version that is high enough, if the contract had one.
    pub fn least_version(&self) -> Option<Version> {
        let old: Version = self.old.as_deref()?.parse().ok()?;
        Some(raised(old, self.demanded))
    }

    /// Whether the version number says what the changes demand, as far as the mode wants to know.
    pub fn is_told(&self, mode: EvolutionMode) -> bool {
        let wanted = match mode {
            EvolutionMode::Strict => self.demanded,
            EvolutionMode::Lenient | EvolutionMode::Auto if self.is_breaking() => self.demanded,
            EvolutionMode::Lenient | EvolutionMode::Auto => Bump::None,
        };
        wanted == Bump::None || self.given >= wanted
    }
}

/// Whom a change breaks: those who know the old version and see new data, and those who know the new one and see old data.
#[derive(Clone, Copy)]
struct Breaks {
    old_readers: bool,
    new_readers: bool,
}

const NOBODY: Breaks = Breaks {
    old_readers: false,
    new_readers: false,
};
/// Less is promised than before.
const LOOSER: Breaks = Breaks {
    old_readers: true,
    new_readers: false,
};
/// More is promised than before.
const TIGHTER: Breaks = Breaks {
    old_readers: false,
    new_readers: true,
};
const OTHER: Breaks = Breaks {
    old_readers: true,
    new_readers: true,
};

/// How two versions of a contract differ, as the new one wants changes to be taken.
pub fn difference(old: &Promise, new: &Promise, policy: &Policy) -> Difference {
    let mut found = Found {
        policy,
        changes: Vec::new(),
    };
    if old.dataset != new.dataset {
        found.add(
            OTHER,
            format!(
                "the dataset is called `{}`, no longer `{}`",
                new.dataset, old.dataset
            ),
        );
    }
    found.columns(&old.columns, &new.columns);
    found.rules(old, new);
    found.handling(old, new);
    found.retention(old.kept_days, new.kept_days);
    if old.words != new.words {
        found.changes.push(Change {
            what: "descriptions, owner or tags are others".to_owned(),
            breaking: false,
            demands: Bump::Patch,
        });
    }
    let mut changes = found.changes;
    changes.sort_by_key(|change| std::cmp::Reverse(change.demands));
    let before: Option<Version> = old.version.as_deref().and_then(|text| text.parse().ok());
    // Before 1.0.0 nothing is stable: the second number says what breaks.
    let unstable = before.is_some_and(|version| version.major == 0);
    let demanded = changes
        .iter()
        .map(|change| change.demands)
        .max()
        .unwrap_or(Bump::None);
    let demanded = match demanded {
        Bump::Major if unstable => Bump::Minor,
        Bump::Minor if unstable => Bump::Patch,
        other => other,
    };
    let after = new.version.as_deref().and_then(|text| text.parse().ok());
    Difference {
        old: old.version.clone(),
        new: new.version.clone(),
        changes,
        demanded,
        given: given(before, after),
    }
}

fn given(old: Option<Version>, new: Option<Version>) -> Bump {
    match (old, new) {
        // Whoever begins to number has said so.
        (None, Some(_)) => Bump::Major,
        (_, None) => Bump::None,
        (Some(old), Some(new)) if new <= old => Bump::None,
        (Some(old), Some(new)) if new.major > old.major => Bump::Major,
        (Some(old), Some(new)) if new.minor > old.minor => Bump::Minor,
        _ => Bump::Patch,
    }
}

fn raised(old: Version, by: Bump) -> Version {
    match by {
        Bump::None => old,
        Bump::Patch => Version {
            patch: old.patch + 1,
            ..old
        },
        Bump::Minor => Version {
            minor: old.minor + 1,
            patch: 0,
            ..old
        },
        Bump::Major => Version {
            major: old.major + 1,
            minor: 0,
            patch: 0,
        },
    }
}

struct Found<'a> {
    policy: &'a Policy,
    changes: Vec<Change>,
}

impl Found<'_> {
    fn add(&mut self, breaks: Breaks, what: String) {
        self.add_unless(None, breaks, what);
    }

    /// `allowed`: what the contract says of changes of this kind, whomever they break.
    fn add_unless(&mut self, allowed: Option<bool>, breaks: Breaks, what: String) {
        let breaking = match (allowed, self.policy.compatibility) {
            (_, Compatibility::None) | (Some(true), _) => false,
            (Some(false), _) => true,
            (None, Compatibility::Forward) => breaks.old_readers,
            (None, Compatibility::Backward) => breaks.new_readers,
            (None, Compatibility::Full) => breaks.old_readers || breaks.new_readers,
        };
        let demands = if breaking { Bump::Major } else { Bump::Minor };
        self.changes.push(Change {
            what,
            breaking,
            demands,
        });
    }

    fn columns(&mut self, old: &[PromisedColumn], new: &[PromisedColumn]) {
        let find = |columns: &[PromisedColumn], name: &str| {
            columns
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(name))
                .cloned()
        };
        for before in old {
            match find(new, &before.name) {
                None => {
                    let allowed = self.policy.removed_columns;
                    self.add_unless(allowed, LOOSER, format!("column `{}` is gone", before.name));
                }
                Some(now) => self.column(before, &now),
            }
        }
        for now in new {
            if find(old, &now.name).is_none() {
                let breaks = if now.nullable { NOBODY } else { TIGHTER };
                let allowed = self.policy.new_columns.filter(|allowed| !allowed);
                self.add_unless(
                    allowed,
                    breaks,
                    format!("column `{}` ({}) is new", now.name, now.sql_type),
                );
            }
        }
    }

    fn column(&mut self, before: &PromisedColumn, now: &PromisedColumn) {
        let name = &now.name;
        if before.sql_type != now.sql_type {
            let (wider, narrower) = (
                widens(&before.sql_type, &now.sql_type),
                widens(&now.sql_type, &before.sql_type),
            );
            let (breaks, how) = match (wider, narrower) {
                (true, false) => (LOOSER, " (wider)"),
                (false, true) => (TIGHTER, " (narrower)"),
                _ => (OTHER, ""),
            };
            let allowed = self.policy.types;
            let what = format!(
                "`{name}` is {}{how}, no longer {}",
                now.sql_type, before.sql_type
            );
            self.add_unless(allowed, breaks, what);
        }
        match (before.nullable, now.nullable) {
            (false, true) => self.add(LOOSER, format!("`{name}` may be NULL now")),
            (true, false) => self.add(TIGHTER, format!("`{name}` is never NULL now")),
            _ => {}
        }
        match (before.deprecated, now.deprecated) {
            (false, true) => self.add(NOBODY, format!("`{name}` is deprecated")),
            (true, false) => self.add(NOBODY, format!("`{name}` is no longer deprecated")),
            _ => {}
        }
    }

    fn rules(&mut self, old: &Promise, new: &Promise) {
        for (name, before) in &old.rules {
            match new.rules.get(name) {
                Some(now) if now == before => {}
                Some(now) => {
                    let (breaks, how) = compare(before, now);
                    self.add(breaks, format!("rule `{name}` {how}"));
                }
                // Another name is no other promise.
                None if new.rules.values().any(|now| now == before) => {}
                None if column_is_gone(before, old, new) => {}
                None => self.add(
                    LOOSER,
                    format!("rule `{name}` is gone, or no longer an error"),
                ),
            }
        }
        for (name, now) in &new.rules {
            let known = old.rules.contains_key(name) || old.rules.values().any(|it| it == now);
            if !known {
                self.add(TIGHTER, format!("rule `{name}` is new"));
            }
        }
    }

    fn handling(&mut self, old: &Promise, new: &Promise) {
        let names: std::collections::BTreeSet<&String> =
            old.handled.keys().chain(new.handled.keys()).collect();
        for name in names {
            let (before, now) = (old.handled.get(name), new.handled.get(name));
            let known = old.columns.iter().any(|column| column.name == *name)
                && new.columns.iter().any(|column| column.name == *name);
            if before == now || !known {
                continue;
            }
            let told = |how: Option<&String>| how.map_or("as it is", String::as_str).to_owned();
            // That it was allowed all along was only said.
            let same = |how: Option<&String>| how.is_none_or(|how| how == "allowed");
            let breaks = if same(before) && same(now) {
                NOBODY
            } else {
                OTHER
            };
            self.add(
                breaks,
                format!(
                    "values of `{name}` are handled otherwise: {}, no longer {}",
                    told(now),
                    told(before)
                ),
            );
        }
    }

    fn retention(&mut self, old: Option<u64>, new: Option<u64>) {
        let days = |days: Option<u64>| {
            days.map_or_else(|| "for ever".to_owned(), |days| format!("{days} days"))
        };
        let shorter = new.unwrap_or(u64::MAX) < old.unwrap_or(u64::MAX);
        if old != new {
            let breaks = if shorter { LOOSER } else { NOBODY };
            self.add(
                breaks,
                format!("rows are kept {}, no longer {}", days(new), days(old)),
            );
        }
    }
}

/// A rule about a column that went with it.
fn column_is_gone(rule: &PromisedRule, old: &Promise, new: &Promise) -> bool {
    old.columns.iter().any(|column| {
        let gone = !new
            .columns
            .iter()
            .any(|now| now.name.eq_ignore_ascii_case(&column.name));
        gone && rule
            .about
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .any(|word| word == column.name)
    })
}

fn compare(before: &PromisedRule, now: &PromisedRule) -> (Breaks, String) {
    use Measure::{Among, Least, Most, NotAmong};
    if before.about != now.about {
        return (OTHER, "is another one".to_owned());
    }
    let ordered = |before: &str, now: &str, more_is_tighter: bool| {
        let what = format!("is {now}, no longer {before}");
        let breaks = match order(before, now) {
            Some(Ordering::Less) if more_is_tighter => TIGHTER,
            Some(Ordering::Greater) if more_is_tighter => LOOSER,
            Some(Ordering::Less) => LOOSER,
            Some(Ordering::Greater) => TIGHTER,
            Some(Ordering::Equal) => NOBODY,
            None => OTHER,
        };
        (breaks, what)
    };
    let sets = |before: &[String], now: &[String], more_is_tighter: bool| {
        let gone: Vec<&str> = missing(before, now);
        let new: Vec<&str> = missing(now, before);
        let tell = |word: &str, values: &[&str]| match values {
            [] => String::new(),
            values => format!("{word} {}", values.join(", ")),
        };
        let what = [tell("has no longer", &gone), tell("has now", &new)];
        let what: Vec<String> = what.into_iter().filter(|text| !text.is_empty()).collect();
        let breaks = match (gone.is_empty(), new.is_empty()) {
            (true, false) if more_is_tighter => TIGHTER,
            (false, true) if more_is_tighter => LOOSER,
            (true, false) => LOOSER,
            (false, true) => TIGHTER,
            _ => OTHER,
        };
        (breaks, what.join(" and "))
    };
    match (&before.measure, &now.measure) {
        (Least(before), Least(now)) => ordered(before, now, true),
        (Most(before), Most(now)) => ordered(before, now, false),
        (Among(before), Among(now)) => sets(before, now, false),
        (NotAmong(before), NotAmong(now)) => sets(before, now, true),
        _ => (OTHER, "is another one".to_owned()),
    }
}

fn missing<'a>(of: &'a [String], from: &[String]) -> Vec<&'a str> {
    of.iter()
        .filter(|value| !from.contains(value))
        .map(String::as_str)
        .collect()
}

/// Numbers by their value, texts of the same form by their letters.
fn order(a: &str, b: &str) -> Option<Ordering> {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) if x != y || a == b => x.partial_cmp(&y),
        (Ok(_), Ok(_)) => None,
        _ if a.len() == b.len() => Some(a.cmp(b)),
        _ => None,
    }
}
