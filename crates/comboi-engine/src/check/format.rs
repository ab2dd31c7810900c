//! Well-known forms of texts, as SQL that is true for a text that does not have one.

use comboi_project::{Column, Format};

use super::predicate::as_text;
use crate::read_files::is_json;
use crate::sql;

/// As browsers hold it, with a dot in the domain.
const EMAIL: &str = r"^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$";
const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";
const URL: &str = r"^(?i:https?|ftp)://[^\s/?#]+(?:[/?#]\S*)?$";
const HOSTNAME: &str = r"^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*\.?$";
const IPV4: &str =
    r"^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$";
const IPV6: &str = r"^(?:(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,7}:|(?:[0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,5}(?::[0-9a-fA-F]{1,4}){1,2}|(?:[0-9a-fA-F]{1,4}:){1,4}(?::[0-9a-fA-F]{1,4}){1,3}|(?:[0-9a-fA-F]{1,4}:){1,3}(?::[0-9a-fA-F]{1,4}){1,4}|(?:[0-9a-fA-F]{1,4}:){1,2}(?::[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:(?::[0-9a-fA-F]{1,4}){1,6}|:(?:(?::[0-9a-fA-F]{1,4}){1,7}|:)|::(?i:ffff)(?::0{1,4})?:(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d))$";
const INTEGER: &str = r"^[+-]?\d+$";
const NUMBER: &str = r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$";
const PHONE: &str = r"^\+[1-9]\d{6,14}$";
const DATE: &str = r"^\d{4}-\d{2}-\d{2}$";
const TIME: &str = r"^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?$";
const TIMESTAMP: &str =
    r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?$";
const IBAN: &str = "^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$";

/// ISO 3166-1, in groups of two letters.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

/// ISO 4217, in groups of three letters.
const CURRENCIES: &str = "AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBHDBIFBMDBNDBOBBOVBRLBSDBTNBWPBYNBZDCADCDFCHECHFCHWCLFCLPCNYCOPCOUCRCCUPCVECZKDJFDKKDOPDZDEGPERNETBEURFJDFKPGBPGELGHSGIPGMDGNFGTQGYDHKDHNLHTGHUFIDRILSINRIQDIRRISKJMDJODJPYKESKGSKHRKMFKPWKRWKWDKYDKZTLAKLBPLKRLRDLSLLYDMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDOMRPABPENPGKPHPPKRPLNPYGQARRONRSDRUBRWFSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHBTJSTMTTNDTOPTRYTTDTWDTZSUAHUGXUSDUSNUYIUYUUYWUZSVEDVESVNDVUVWSTXAFXAGXAUXBAXBBXBCXBDXCDXCGXDRXOFXPDXPFXPTXSUXTSXUAXXXYERZARZMWZWGZWL";

/// Rows whose text does not have a form.
pub(super) fn malformed(column: &Column, format: Format) -> String {
    let text = as_text(column);
    let regex = |regex: &str| format!("NOT regexp_matches({text}, {})", sql::text(regex));
    // The form first, then whether there is such a day: DuckDB's own cast takes more than one form.
    let also = |form: &str, of: &str| {
        format!(
            "{} OR {text} IS NOT NULL AND TRY_CAST({text} AS {of}) IS NULL",
            regex(form)
        )
    };
    let condition = match format {
        Format::Email => format!("{} OR strlen({text}) > 254", regex(EMAIL)),
        Format::Uuid => regex(UUID),
        Format::Url => regex(URL),
        Format::Hostname => format!("{} OR strlen({text}) > 254", regex(HOSTNAME)),
        Format::Ip => format!("({}) AND ({})", regex(IPV4), regex(IPV6)),
        Format::Ipv4 => regex(IPV4),
        Format::Ipv6 => regex(IPV6),
        Format::Date => also(DATE, "DATE"),
        Format::Time => regex(TIME),
        Format::Timestamp => also(TIMESTAMP, "TIMESTAMPTZ"),
        Format::Integer => regex(INTEGER),
        Format::Number => regex(NUMBER),
        Format::Boolean => format!("lower({text}) NOT IN ('true', 'false')"),
        Format::Json => format!("NOT {}", is_json(&text)),
        Format::Phone => regex(PHONE),
        Format::Iban => format!("{} OR {}", regex(IBAN), wrong_check_digits(&text)),
        Format::Country => format!("{text} NOT IN ({})", codes(COUNTRIES, 2)),
        Format::Currency => format!("{text} NOT IN ({})", codes(CURRENCIES, 3)),
    };
    format!("({condition})")
}

/// What a text should have been.
pub(super) fn described(format: Format) -> &'static str {
    match format {
        Format::Email => "an e-mail address",
        Format::Uuid => "a UUID",
        Format::Url => "a URL",
        Format::Hostname => "the name of a host",
        Format::Ip => "an IP address",
        Format::Ipv4 => "an IPv4 address",
        Format::Ipv6 => "an IPv6 address",
        Format::Date => "a date such as 2026-01-31",
        Format::Time => "a time of day such as 13:05:09",
        Format::Timestamp => "a timestamp such as 2026-01-31T13:05:09Z",
        Format::Integer => "a whole number",
        Format::Number => "a number",
        Format::Boolean => "`true` or `false`",
        Format::Json => "JSON",
        Format::Phone => "a telephone number such as +4922112345",
        Format::Iban => "an IBAN",
        Format::Country => "a country's code of ISO 3166-1",
        Format::Currency => "a currency's code of ISO 4217",
    }
}

/// The number that an IBAN is, its first four characters put behind and letters counted from 10 on, leaves 1 when divided by 97. It has up to
/// 68 digits, more than any number of DuckDB's: so it is divided in two parts.
fn wrong_check_digits(text: &str) -> String {
    let digits = format!(
        "array_to_string(list_transform(string_split(substr({text}, 5) || left({text}, 4), ''), lambda c: CASE WHEN c BETWEEN 'A' AND 'Z' THEN (ascii(c) - 55)::VARCHAR ELSE c END), '')"
    );
    let first = format!("(TRY_CAST(left({digits}, 34) AS HUGEINT) % 97)::VARCHAR");
    format!(
        "coalesce(TRY_CAST({first} || substr({digits}, 35) AS HUGEINT) % 97 <> 1, {text} IS NOT NULL)"
    )
}

fn codes(all: &str, length: usize) -> String {
    let letters: Vec<char> = all.chars().collect();
    let codes = letters
        .chunks(length)
        .map(|code| format!("'{}'", code.iter().collect::<String>()));
    codes.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use comboi_project::SqlType;

    use super::*;
    use crate::Session;

    #[test]
    fn forms_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::small(folder.path());
        let instance = session.free().unwrap();
        let instance = &*instance;
        let column = Column::new("x", SqlType::Varchar(None));
        let check = |format: Format, good: &[&str], bad: &[&str]| {
            for (texts, expected) in [(good, "false"), (bad, "true")] {
                for text in texts {
                    let query = format!(
                        "SELECT {}::VARCHAR FROM (SELECT {} AS x)",
                        malformed(&column, format),
                        sql::text(text)
                    );
                    let found = instance.rows(&query).unwrap();
                    assert_eq!(found[0][0].as_deref(), Some(expected), "{format} {text:?}");
                }
            }
            let query = format!(
                "SELECT count(*) FILTER (WHERE {})::VARCHAR FROM (SELECT NULL::VARCHAR AS x)",
                malformed(&column, format)
            );
            let found = instance.rows(&query).unwrap();
            assert_eq!(found[0][0].as_deref(), Some("0"), "{format} NULL");
        };
        check(
            Format::Email,
            &["a@b.de", "first.last+tag@sub.example.co.uk"],
            &[
                "", "a@b", "a b@c.de", "@b.de", "a@b..de", "a@-b.de", "a@b.de ",
            ],
        );
        check(
            Format::Uuid,
            &["00000000-0000-0000-0000-00000000000F"],
            &[
                "{00000000-0000-0000-0000-000000000000}",
                "00000000000000000000000000000000",
            ],
        );
        check(
            Format::Url,
            &["https://example.com", "HTTP://a.b/c?d=e#f", "ftp://h/x"],
            &["example.com", "https://", "https://a b", "file:///x"],
        );
        check(
            Format::Hostname,
            &["localhost", "a.b-c.de"],
            &["", "-a", "a..b", "a_b"],
        );
        check(
            Format::Ipv4,
            &["0.0.0.0", "255.255.255.255"],
            &["256.0.0.1", "1.2.3", "01.2.3.4"],
        );
        check(
            Format::Ipv6,
            &[
                "::",
                "::1",
                "fe80::1:2",
                "1:2:3:4:5:6:7:8",
                "::ffff:1.2.3.4",
            ],
            &["1:2:3", ":::", "1::2::3", "12345::", "1.2.3.4"],
        );
        check(Format::Ip, &["1.2.3.4", "::1"], &["1.2.3", "x"]);
        check(
            Format::Date,
            &["2024-02-29"],
            &["2023-02-29", "2024-2-9", "29.02.2024", "2024-02-29 10:00"],
        );
        check(
            Format::Time,
            &["23:59", "00:00:00.123456"],
            &["24:00", "1:00", "10:60"],
        );
        check(
            Format::Timestamp,
            &[
                "2024-02-29T23:59:59Z",
                "2024-02-29 10:00",
                "2024-02-29T10:00:00.5+02:00",
            ],
            &["2024-02-30T10:00:00Z", "2024-02-29", "2024-02-29T25:00"],
        );
        check(
            Format::Integer,
            &["0", "-12", "+7"],
            &["", "1.0", "1e3", "x"],
        );
        check(
            Format::Number,
            &["0", "-1.5", ".5", "1e-3"],
            &["", ".", "1,5", "0x1", "nan"],
        );
        check(Format::Boolean, &["true", "False"], &["yes", "1"]);
        check(
            Format::Json,
            &["{}", "[1, \"a\"]", "null"],
            // RFC 8259 has none of these.
            &[
                "",
                "{a: 1}",
                "[1,",
                "[1,]",
                "{\"a\":1,}",
                "[NaN]",
                "[-Infinity]",
                "[01]",
                "'a'",
            ],
        );
        check(
            Format::Phone,
            &["+4922112345"],
            &["022112345", "+0123456", "+49 221"],
        );
        // The examples of the registry of IBANs.
        check(
            Format::Iban,
            &[
                "DE89370400440532013000",
                "GB29NWBK60161331926819",
                "MT84MALT011000012345MTLCAST001S",
                "NO9386011117947",
            ],
            &[
                "DE89370400440532013001",
                "DE8937040044",
                "de89370400440532013000",
                "XX",
            ],
        );
        check(
            Format::Country,
            &["DE", "NO", "ZW"],
            &["EN", "de", "UK", "D"],
        );
        check(
            Format::Currency,
            &["EUR", "NOK", "ZWG"],
            &["eur", "DEM", "EU"],
        );
    }

    #[test]
    fn codes_are_sorted_and_told_apart() {
        for (all, length, count) in [(COUNTRIES, 2, 249), (CURRENCIES, 3, 180)] {
            let letters: Vec<char> = all.chars().collect();
            let codes: Vec<&[char]> = letters.chunks(length).collect();
            assert!(codes.is_sorted() && codes.iter().all(|code| code.len() == length));
            let mut different = codes.clone();
            different.dedup();
            assert_eq!(different.len(), codes.len());
            assert_eq!(codes.len(), count);
        }
    }
}
