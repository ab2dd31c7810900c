//! Tokens as Microsoft Entra makes them, for services that look into them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

/// A token for somebody that begins now. Its signature is the mark, which nobody can check.
/// <https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>
pub(super) fn of(mark: &str, audience: &str, now: i64, seconds: i64) -> String {
    let encoded = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let head = encoded(&json!({"typ": "JWT", "alg": "RS256", "kid": "none"}));
    // Clocks are not the same everywhere.
    let from = now - 60;
    let says = encoded(&json!({
        "iss": "https://sts.windows.net/home/", "aud": audience, "tid": "home", "oid": "me",
        "iat": from, "nbf": from, "exp": now + seconds, "ver": "1.0",
    }));
    format!("{head}.{says}.{mark}")
}
