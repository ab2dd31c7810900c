//! What comboi gives people's SQL beside its inputs: the moment of the run, and pseudonyms.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use comboi_project::{Place, Problem, Secret};
use sha2::{Digest as _, Sha256};

use crate::instance::Instance;
use crate::{Error, Session};

/// The function that makes pseudonyms: HMAC-SHA-256 of a text with the project's key, as 64 hexadecimal digits.
pub(crate) const HMAC: &str = "comboi_hmac";

/// Keys that are shorter can be found by trying them all.
pub const LEAST_KEY_BYTES: usize = 16;

/// Of SHA-256, in bytes.
const BLOCK: usize = 64;

/// What comboi gives the queries of a session.
pub struct Given {
    /// When the run began: what `comboi_run_at()` says. A constant, so a query that asks for it is not built anew each time.
    pub run_at: DateTime<Utc>,
    /// The key of pseudonyms.
    pub key: Option<Secret>,
}

impl Given {
    /// For queries that are looked at and not run.
    pub(crate) fn nothing() -> Self {
        Self {
            run_at: DateTime::UNIX_EPOCH,
            key: None,
        }
    }

    /// Makes the functions. To be called before the instance is locked.
    ///
    /// The key is in variables, which people's SQL can't read; the functions' own text may be quoted in messages.
    pub(crate) fn define(&self, instance: &Instance) -> Result<(), Error> {
        let run_at = format!(
            "CREATE OR REPLACE MACRO comboi_run_at() AS make_timestamptz({})",
            self.run_at.timestamp_micros()
        );
        instance.own("say when the run began", &run_at)?;
        if let Some(key) = &self.key {
            let block = block_of(key.expose().as_bytes());
            for (name, mask) in [("comboi_inner", 0x36), ("comboi_outer", 0x5c)] {
                let masked = block.map(|byte| byte ^ mask);
                instance.own(
                    "take the key of pseudonyms",
                    &format!("SET VARIABLE {name} = {}", blob(&masked)),
                )?;
            }
        }
        // RFC 2104: H(key ^ opad, H(key ^ ipad, text)).
        let hmac = format!(
            "CREATE OR REPLACE MACRO {HMAC}(value) AS CASE WHEN value IS NOT NULL THEN sha256(getvariable('comboi_outer')::BLOB || unhex(sha256(getvariable('comboi_inner')::BLOB || encode(value::VARCHAR)))) END"
        );
        instance.own("make pseudonyms", &hmac)
    }

    /// What is wrong with the key, if anything is.
    pub(crate) fn key_problem(&self, place: &Place) -> Option<Problem> {
        match &self.key {
            None => Some(
                Problem::at(
                    place,
                    format!("`{HMAC}` needs a key, and the configuration names none"),
                )
                .hint(
                    "add `privacy: { key: \"{{keyvault:pseudonym-key}}\" }`, or {{env:NAME}}, to the configuration",
                ),
            ),
            Some(key) if key.expose().len() < LEAST_KEY_BYTES => Some(
                Problem::at(
                    place,
                    format!("the key of `{HMAC}` has fewer than {LEAST_KEY_BYTES} bytes, so it could be guessed"),
                )
                .hint("make one with `openssl rand -hex 32`"),
            ),
            Some(_) => None,
        }
    }
}

impl Session {
    /// Gives the queries of this session what they may ask comboi for. Without it, they are as on 1 January 1970 and without a key.
    pub fn give(&self, given: Given) {
        drop(self.given.set(given));
    }

    pub(crate) fn given(&self) -> &Given {
        self.given.get_or_init(Given::nothing)
    }
}

/// A key as long as a block of the hash.
fn block_of(key: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let short: Vec<u8> = if key.len() > BLOCK {
        Sha256::digest(key).to_vec()
    } else {
        key.to_vec()
    };
    for (to, from) in block.iter_mut().zip(short) {
        *to = from;
    }
    block
}

fn blob(bytes: &[u8]) -> String {
    let mut text = String::from("'");
    for byte in bytes {
        write!(text, "\\x{byte:02X}").expect("writing into a String cannot fail");
    }
    text.push_str("'::BLOB");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn hmac(key: &str, value: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::open(&Limits::of_machine(), folder.path()).unwrap();
        let instance = session.confined(&[]).unwrap();
        let given = Given {
            run_at: "2026-05-01T12:00:00.000001Z".parse().unwrap(),
            key: Some(Secret::new(key)),
        };
        given.define(&instance).unwrap();
        instance.lock().unwrap();
        let at = instance.rows("SELECT comboi_run_at()::VARCHAR").unwrap();
        assert_eq!(at, [[Some("2026-05-01 12:00:00.000001+00".to_owned())]]);
        let query = format!("SELECT comboi_hmac({value})");
        instance.rows(&query).unwrap()[0][0]
            .clone()
            .unwrap_or_else(|| "NULL".to_owned())
    }

    /// The cases of RFC 4231 whose keys and texts can be typed, and one more from `openssl dgst -sha256 -hmac`.
    #[test]
    fn pseudonyms_are_those_of_the_standard() {
        assert_eq!(
            hmac("Jefe", "'what do ya want for nothing?'"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hmac(&"\u{b}".repeat(20), "'Hi There'"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        // A key that is longer than a block.
        assert_eq!(
            hmac(&"a".repeat(100), "'x'"),
            "d071eef2ffa0e46cdeee4042c6e881a91b05a171178c0c3eb08014f3c65364a0"
        );
        assert_eq!(hmac("Jefe", "NULL"), "NULL");
        assert_eq!(hmac("Jefe", "42"), hmac("Jefe", "'42'"));
    }
}
