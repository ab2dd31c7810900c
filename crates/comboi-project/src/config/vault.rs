//! Where a key vault is.

use std::fmt;
use std::str::FromStr;

use crate::read::Refusal;

/// The address of a key vault, such as `https://my-vault.vault.azure.net`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultUrl(String);

impl VaultUrl {
    /// The address, without a `/` at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The vault's own name: `my-vault`.
    pub fn name(&self) -> &str {
        let host = self.0.trim_start_matches("https://");
        host.split_once('.').map_or(host, |(name, _)| name)
    }
}

impl fmt::Display for VaultUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not the address of a key vault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not the address of a key vault: write `{meant}`")]
pub struct BadVaultUrl {
    text: String,
    meant: String,
}

impl Refusal for BadVaultUrl {}

impl FromStr for VaultUrl {
    type Err = BadVaultUrl;

    fn from_str(text: &str) -> Result<Self, BadVaultUrl> {
        let text = text.trim();
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let letters = |text: &str, more: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let is_host = letters(host, "-.:") && host.contains('.') && !host.starts_with('.');
        if is_host
            && text
                .strip_prefix("https://")
                .map(|it| it.trim_end_matches('/'))
                == Some(host)
        {
            return Ok(Self(format!("https://{}", host.to_ascii_lowercase())));
        }
        let meant = if is_host {
            format!("https://{host}")
        } else if !host.is_empty() && letters(host, "-") {
            format!("https://{host}.vault.azure.net")
        } else {
            "https://my-vault.vault.azure.net".to_owned()
        };
        Err(BadVaultUrl {
            text: text.chars().take(80).collect(),
            meant,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = match text.parse::<VaultUrl>() {
            Ok(url) => format!("{url} is {}", url.name()),
            Err(bad) => bad.meant,
        };
        assert_eq!(told, expected, "{text}");
    }

    #[test]
    fn an_address_is_whole_and_encrypted() {
        let good = "https://my-vault.vault.azure.net is my-vault";
        check("https://my-vault.vault.azure.net", good);
        check(" https://My-Vault.vault.azure.net/ ", good);
        let meant = "https://my-vault.vault.azure.net";
        for bad in [
            "",
            "my-vault",
            "my-vault.vault.azure.net",
            "http://my-vault.vault.azure.net",
            "https://my-vault.vault.azure.net/secrets/password/0123",
            "https://my vault",
        ] {
            check(bad, meant);
        }
    }
}
