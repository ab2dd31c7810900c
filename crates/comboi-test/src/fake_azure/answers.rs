//! What each service says.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::serve::Asked;
use super::{FakeAzure, Said, World};

/// What tokens for Azure Storage are asked for by.
const STORAGE: &str = "https://storage.azure.com/.default";

impl World {
    pub(super) fn answer(&mut self, asked: &Asked) -> Said {
        let line = format!("{} {}{}", asked.method, asked.host, asked.path);
        self.asked.push(line.clone());
        if let Some(at) = self.instead.iter().position(|(to, _)| line.contains(to)) {
            return self.instead.remove(at).1;
        }
        if asked.host == "login.microsoftonline.com" {
            return self.entra(asked);
        }
        if let Some(vault) = asked.host.strip_suffix(".vault.azure.net") {
            return self.vault(vault, asked);
        }
        match asked.path.as_str() {
            "/metadata/identity/oauth2/token" if asked.host == "169.254.169.254" => {
                self.instance_metadata(asked)
            }
            "/msi/token" => self.app_service(asked),
            _ => said(404, &json!({})),
        }
    }

    pub(super) fn give_token(&mut self, scope: &str) -> String {
        let mark = format!("canary-token-{}", self.tokens.len() + 1);
        // Whoever gets the others does not look into them.
        let token = if scope == STORAGE {
            let audience = self
                .audience
                .as_deref()
                .unwrap_or("https://storage.azure.com");
            super::token::of(&mark, audience, now(), self.token_seconds)
        } else {
            mark
        };
        self.tokens.insert(token.clone(), scope.to_owned());
        token
    }

    /// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
    fn entra(&mut self, asked: &Asked) -> Said {
        let field = |name| asked.form.get(name).map(String::as_str).unwrap_or_default();
        let refused = |code: i32, text: &str| {
            let text = format!("AADSTS{code}: {text} Trace ID: 1 Correlation ID: 2 Timestamp: 3");
            let body = json!({"error": "invalid_client", "error_description": text, "error_codes": [code]});
            said(401, &body)
        };
        let Some((tenant, secret)) = self.principals.get(field("client_id")) else {
            return refused(700016, "Application was not found in the directory.");
        };
        if asked.path != format!("/{tenant}/oauth2/v2.0/token") {
            return refused(90002, "Tenant not found.");
        }
        // A federated token stands for the secret.
        if field("client_secret") != secret && field("client_assertion") != secret {
            return refused(7000215, "Invalid client secret provided.");
        }
        let scope = field("scope").to_owned();
        let seconds = self.token_seconds;
        let token = self.give_token(&scope);
        said(
            200,
            &json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}),
        )
    }

    /// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
    fn instance_metadata(&mut self, asked: &Asked) -> Said {
        if asked.headers.get("metadata").map(String::as_str) != Some("true") {
            let body = json!({"error": "invalid_request", "error_description": "Required metadata header not specified"});
            return said(400, &body);
        }
        self.managed_token(asked).unwrap_or_else(|| {
            said(
                400,
                &json!({"error": "invalid_request", "error_description": "Identity not found"}),
            )
        })
    }

    /// <https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>
    fn app_service(&mut self, asked: &Asked) -> Said {
        let proof = asked.headers.get("x-identity-header").map(String::as_str);
        if proof != Some(FakeAzure::IDENTITY_HEADER) {
            return said(403, &json!({}));
        }
        let none = "No User Assigned or Delegated Managed Identity found for specified ClientId";
        self.managed_token(asked)
            .unwrap_or_else(|| said(400, &json!({"statusCode": 400, "message": none})))
    }

    fn managed_token(&mut self, asked: &Asked) -> Option<Said> {
        let who = asked
            .query
            .get("client_id")
            .map_or("system", String::as_str);
        let resource = asked.query.get("resource")?;
        if !self.managed.iter().any(|known| known == who) {
            return None;
        }
        let token = self.give_token(&format!("{resource}/.default"));
        let ends = (now() + self.token_seconds).to_string();
        Some(said(
            200,
            &json!({"access_token": token, "expires_on": ends, "resource": resource, "token_type": "Bearer"}),
        ))
    }

    /// <https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret>
    fn vault(&self, vault: &str, asked: &Asked) -> Said {
        let refused = |status, code: &str, text: &str| {
            said(status, &json!({"error": {"code": code, "message": text}}))
        };
        if !asked.query.contains_key("api-version") {
            return refused(400, "BadParameter", "api-version is missing");
        }
        let token = asked.headers.get("authorization");
        let token = token.and_then(|token| token.strip_prefix("Bearer "));
        let wanted = "https://vault.azure.net/.default";
        if token
            .and_then(|token| self.tokens.get(token))
            .map(String::as_str)
            != Some(wanted)
        {
            let mut said = refused(
                401,
                "Unauthorized",
                "AKV10000: the token is not for this vault.",
            );
            let challenge = r#"Bearer authorization="https://login.microsoftonline.com/home", resource="https://vault.azure.net""#;
            said.headers
                .push(("www-authenticate".into(), challenge.into()));
            return said;
        }
        if self.forbidden.iter().any(|it| it == vault) {
            let text = "Caller is not authorized to perform action on resource.";
            let error = json!({"code": "Forbidden", "message": text, "innererror": {"code": "ForbiddenByRbac"}});
            return said(403, &json!({ "error": error }));
        }
        let name = asked
            .path
            .trim_start_matches("/secrets/")
            .trim_end_matches('/');
        let Some(secret) = self.secrets.get(&(vault.to_owned(), name.to_owned())) else {
            let text = format!("A secret with (name/id) {name} was not found in this key vault.");
            return refused(404, "SecretNotFound", &text);
        };
        let mut attributes = json!({"enabled": true, "created": now() - 60, "updated": now() - 60, "recoveryLevel": "Recoverable"});
        if let Some(ends) = secret.ends {
            attributes["exp"] = ends.into();
        }
        let id = format!("https://{}/secrets/{name}/0123456789abcdef", asked.host);
        said(
            200,
            &json!({"value": secret.value, "id": id, "attributes": attributes}),
        )
    }
}

fn said(status: u16, body: &serde_json::Value) -> Said {
    Said {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_string(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens end at a time of the real clock"
)]
fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
