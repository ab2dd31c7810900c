//! Which columns may tell about a person, going by their names and by what their texts look like.

use comboi_project::SqlType;

use crate::facts::{ColumnFacts, Format};
use crate::words::{grouped, words_of};

/// Names that stand alone or in a row of words for something personal; the longer before the shorter.
const NAMES: [(&str, &str); 42] = [
    ("e mail", "e-mail addresses"),
    ("email", "e-mail addresses"),
    ("mail address", "e-mail addresses"),
    ("phone", "telephone numbers"),
    ("telephone", "telephone numbers"),
    ("mobile", "telephone numbers"),
    ("fax", "telephone numbers"),
    ("first name", "names of people"),
    ("last name", "names of people"),
    ("firstname", "names of people"),
    ("lastname", "names of people"),
    ("full name", "names of people"),
    ("fullname", "names of people"),
    ("given name", "names of people"),
    ("family name", "names of people"),
    ("middle name", "names of people"),
    ("maiden name", "names of people"),
    ("surname", "names of people"),
    ("customer name", "names of people"),
    ("contact name", "names of people"),
    ("person name", "names of people"),
    ("patient name", "names of people"),
    ("employee name", "names of people"),
    ("birth date", "dates of birth"),
    ("birthdate", "dates of birth"),
    ("birthday", "dates of birth"),
    ("date of birth", "dates of birth"),
    ("dob", "dates of birth"),
    ("birth", "dates of birth"),
    ("ssn", "numbers of persons"),
    ("social security", "numbers of persons"),
    ("passport", "numbers of persons"),
    ("national id", "numbers of persons"),
    ("tax id", "numbers of persons"),
    ("iban", "bank accounts"),
    ("bic account", "bank accounts"),
    ("card number", "card numbers"),
    ("ip address", "IP addresses"),
    ("street", "addresses of people"),
    ("postal address", "addresses of people"),
    ("home address", "addresses of people"),
    ("gender", "what law calls personal data"),
];

/// What follows says something about the thing, and is no such thing: `email_count`, `phone_is_valid`.
const NOT_THE_THING: [&str; 18] = [
    "count",
    "counts",
    "number of",
    "valid",
    "verified",
    "hash",
    "hashed",
    "sha256",
    "hmac",
    "opt",
    "optin",
    "consent",
    "type",
    "domain",
    "status",
    "sent",
    "opened",
    "flag",
];

/// Why a column seems to tell about a person; `None` if it does not.
pub(crate) fn suspicion(column: &ColumnFacts) -> Option<String> {
    if column.sql_type == SqlType::Boolean {
        return None;
    }
    let text = matches!(column.sql_type, SqlType::Varchar(_));
    let formats = [Format::Email, Format::Iban, Format::Phone, Format::IpV4];
    let looks_like = formats.into_iter().find(|format| {
        // A tenth of them is more than chance; what is mistyped is personal all the same.
        let count = column.count_of(*format);
        text && count >= 2 && count * 10 >= column.present
    });
    let of_values = looks_like.map(|format| {
        format!(
            "{} of {} values look like {}",
            grouped(column.count_of(format)),
            grouped(column.present),
            format.plural()
        )
    });
    let words = words_of(&column.name);
    let spelled = format!(" {} ", words.join(" "));
    let excused = NOT_THE_THING
        .iter()
        .any(|word| spelled.contains(&format!(" {word} ")));
    let of_name = NAMES
        .iter()
        .find(|(name, _)| !excused && spelled.contains(&format!(" {name} ")))
        .map(|(_, what)| format!("it is called like {what}"));
    match (of_name, of_values) {
        (Some(name), Some(values)) => Some(format!("{name}, and {values}")),
        (name, values) => name.or(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FormatCount;

    fn check(name: &str, formats: &[(Format, u64)], expected: Option<&str>) {
        let mut column = ColumnFacts::new(name, SqlType::Varchar(None));
        column.present = 100;
        column.formats = formats
            .iter()
            .map(|(format, count)| FormatCount {
                format: *format,
                count: *count,
            })
            .collect();
        assert_eq!(suspicion(&column).as_deref(), expected, "{name}");
    }

    #[test]
    fn names_and_values_make_suspicious() {
        check(
            "customer_email",
            &[],
            Some("it is called like e-mail addresses"),
        );
        check("FirstName", &[], Some("it is called like names of people"));
        check(
            "contact",
            &[(Format::Email, 97)],
            Some("97 of 100 values look like e-mail addresses"),
        );
        check(
            "iban",
            &[(Format::Iban, 100)],
            Some("it is called like bank accounts, and 100 of 100 values look like IBANs"),
        );
    }

    #[test]
    fn what_only_sounds_like_it_does_not() {
        check("product_name", &[], None);
        check("email_verified", &[], None);
        check("email_hash", &[], None);
        check("note", &[(Format::Email, 3)], None);
        check("status", &[], None);
    }
}
