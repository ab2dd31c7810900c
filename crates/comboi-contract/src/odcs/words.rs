//! The words of the standard's versions 3.0 and 3.1, to tell a mistyped one.

use comboi_project::nearest;
use serde_json::Value as Json;

use super::import::{list, text};

/// What a part of a document is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Document,
    Description,
    Server,
    Object,
    Property,
    Options,
    Check,
    Custom,
    Definition,
    Support,
    Price,
    Team,
    Member,
    Role,
    Level,
    Relationship,
}

impl Part {
    fn words(self) -> &'static str {
        match self {
            Self::Document => {
                "apiVersion authoritativeDefinitions contractCreatedTs customProperties dataProduct description domain id kind name price \
                 roles schema servers slaDefaultElement slaProperties status support tags team tenant version"
            }
            Self::Description => {
                "authoritativeDefinitions customProperties limitations purpose usage"
            }
            // Of all types of servers.
            Self::Server => {
                "account catalog customProperties database dataset delimiter description endpointUrl environment format host id location \
                 path port project region regionName roles schema server serviceName stagingDir stream type warehouse"
            }
            Self::Object => {
                "authoritativeDefinitions businessName customProperties dataGranularityDescription description id logicalType name \
                 physicalName physicalType properties quality relationships tags"
            }
            // `deprecated` and `enum` are of a later version, and read.
            Self::Property => {
                "authoritativeDefinitions businessName classification criticalDataElement customProperties deprecated description \
                 encryptedName enum examples id items logicalType logicalTypeOptions name partitionKeyPosition partitioned physicalName \
                 physicalType primaryKey primaryKeyPosition properties quality relationships required tags transformDescription \
                 transformLogic transformSourceObjects unique"
            }
            Self::Options => {
                "defaultTimezone exclusiveMaximum exclusiveMinimum format maxItems maxLength maxProperties maximum minItems minLength \
                 minProperties minimum multipleOf pattern required timezone uniqueItems"
            }
            // `validValues` is of a draft, and read.
            Self::Check => {
                "arguments authoritativeDefinitions businessImpact customProperties description dimension engine id implementation method \
                 metric mustBe mustBeBetween mustBeGreaterOrEqualTo mustBeGreaterThan mustBeLessOrEqualTo mustBeLessThan mustNotBe \
                 mustNotBeBetween name query rule schedule scheduler severity tags type unit validValues"
            }
            Self::Custom => "description id property value",
            Self::Definition => "description id type url",
            Self::Support => "channel customProperties description id invitationUrl scope tool url",
            Self::Price => "id priceAmount priceCurrency priceUnit",
            Self::Team => {
                "authoritativeDefinitions customProperties description id members name tags"
            }
            Self::Member => {
                "authoritativeDefinitions customProperties dateIn dateOut description id name replacedByUsername role tags username"
            }
            Self::Role => {
                "access customProperties description firstLevelApprovers id role secondLevelApprovers"
            }
            Self::Level => {
                "description driver element id property schedule scheduler unit value valueExt"
            }
            Self::Relationship => "customProperties from to type",
        }
    }

    /// What stands under one of its words, if that has words of its own.
    fn under(self, word: &str, value: &Json) -> Option<Self> {
        Some(match (self, word) {
            (_, "customProperties") => Self::Custom,
            (_, "authoritativeDefinitions") => Self::Definition,
            (Self::Document, "description") => Self::Description,
            (Self::Document, "servers") => Self::Server,
            (Self::Document, "support") => Self::Support,
            (Self::Document, "price") => Self::Price,
            (Self::Document, "team") if value.is_array() => Self::Member,
            (Self::Document, "team") => Self::Team,
            (Self::Document | Self::Server, "roles") => Self::Role,
            (Self::Document, "slaProperties") => Self::Level,
            (Self::Team, "members") => Self::Member,
            (Self::Object | Self::Property, "properties") | (Self::Property, "items") => {
                Self::Property
            }
            (Self::Object | Self::Property, "quality") => Self::Check,
            (Self::Object | Self::Property, "relationships") => Self::Relationship,
            (Self::Property, "logicalTypeOptions") => Self::Options,
            _ => return None,
        })
    }
}

/// A note for each word of the document, and of one of its objects, that the standard does not have.
pub(super) fn unknown(document: &Json, object: &Json) -> Vec<String> {
    let version = text(document, "apiVersion").unwrap_or_default();
    let version = version.trim_start_matches('v');
    let mut notes = Vec::new();
    // Later versions have more words.
    if ["3.0", "3.1"].iter().any(|it| version.starts_with(it)) {
        look(document, Part::Document, "", &mut notes);
        if list(document, "schema").contains(object) {
            let at = format!("schema.{}", text(object, "name").unwrap_or_default());
            look(object, Part::Object, &at, &mut notes);
        }
    }
    notes
}

fn look(value: &Json, part: Part, at: &str, notes: &mut Vec<String>) {
    if let Some(values) = value.as_array() {
        for (i, value) in values.iter().enumerate() {
            let called = ["name", "property", "server", "username", "role", "channel"]
                .iter()
                .find_map(|key| text(value, key));
            let called = called.map_or_else(|| (i + 1).to_string(), str::to_owned);
            look(value, part, &format!("{at}.{called}"), notes);
        }
        return;
    }
    for (word, value) in value.as_object().into_iter().flatten() {
        if !part.words().split_whitespace().any(|it| it == word) {
            let place = if at.is_empty() {
                String::new()
            } else {
                format!(" at `{at}`")
            };
            let meant = nearest(word, part.words().split_whitespace())
                .map(|it| format!(" (did you mean `{it}`?)"))
                .unwrap_or_default();
            notes.push(format!(
                "the standard has no `{word}`{place}{meant}; it is kept, and not checked"
            ));
        } else if let Some(under) = part.under(word, value) {
            let dot = if at.is_empty() { "" } else { "." };
            look(value, under, &format!("{at}{dot}{word}"), notes);
        }
    }
}
