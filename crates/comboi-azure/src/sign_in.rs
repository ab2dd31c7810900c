//! The ways to become somebody in Azure.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, TokenCredential};
use azure_core::error::ErrorKind;
use azure_core::http::ClientOptions;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, AzureDeveloperCliCredential,
    AzureDeveloperCliCredentialOptions, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use comboi_sources::database::Identity;

use crate::Machine;
use crate::failure::Failure;
use crate::tool::Tools;

/// Where a virtual machine says who it is. Nothing is there anywhere else.
const INSTANCE_METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// A way to become somebody.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Way {
    Secret {
        tenant: String,
        client: String,
        secret: String,
    },
    /// By a token that Kubernetes, or a pipeline, puts into a file.
    Workload {
        tenant: String,
        client: String,
        file: PathBuf,
    },
    Managed {
        client: Option<String>,
        /// The platform says where to ask (App Service, Functions, Container Apps), so there is no need to look.
        hosted: bool,
    },
    AzureCli,
    AzureDeveloperCli,
}

/// Why a way led nowhere.
#[derive(Clone, Debug)]
pub(crate) struct NotSignedIn {
    pub(crate) why: String,
    pub(crate) passes: bool,
}

/// The ways to become somebody, the first one that works to be taken. What the environment says for certain is the only one.
pub(crate) fn ways(identity: &Identity, machine: &Machine) -> Result<Vec<Way>, String> {
    let env = |name| machine.env(name);
    let hosted = env("IDENTITY_ENDPOINT").is_some() || env("MSI_ENDPOINT").is_some();
    match identity {
        Identity::Managed(client) => Ok(vec![Way::Managed {
            client: client.clone(),
            hosted,
        }]),
        Identity::ServicePrincipal {
            tenant,
            client,
            secret,
        } => {
            let tenant = tenant.clone().or_else(|| env("AZURE_TENANT_ID"));
            let tenant = tenant.ok_or_else(|| {
                format!("the service principal `{client}` belongs to a directory that nobody names; set `AZURE_TENANT_ID`")
            })?;
            Ok(vec![Way::Secret {
                tenant,
                client: client.clone(),
                secret: secret.clone(),
            }])
        }
        Identity::Default => {
            let own = |by: &str| match (env("AZURE_TENANT_ID"), env("AZURE_CLIENT_ID")) {
                (Some(tenant), Some(client)) => Ok((tenant, client)),
                (tenant, client) => {
                    let lacks = [
                        ("AZURE_TENANT_ID", tenant.is_none()),
                        ("AZURE_CLIENT_ID", client.is_none()),
                    ];
                    let lacks = lacks.into_iter().filter(|(_, lacks)| *lacks);
                    let names: Vec<_> = lacks.map(|(name, _)| format!("`{name}`")).collect();
                    Err(format!(
                        "`{by}` is set, but not {}; set all of them, or none",
                        names.join(" and ")
                    ))
                }
            };
            if let Some(secret) = env("AZURE_CLIENT_SECRET") {
                let (tenant, client) = own("AZURE_CLIENT_SECRET")?;
                return Ok(vec![Way::Secret {
                    tenant,
                    client,
                    secret,
                }]);
            }
            if let Some(file) = env("AZURE_FEDERATED_TOKEN_FILE") {
                let (tenant, client) = own("AZURE_FEDERATED_TOKEN_FILE")?;
                return Ok(vec![Way::Workload {
                    tenant,
                    client,
                    file: file.into(),
                }]);
            }
            let managed = Way::Managed {
                client: env("AZURE_CLIENT_ID"),
                hosted,
            };
            Ok(if hosted {
                vec![managed]
            } else {
                vec![managed, Way::AzureCli, Way::AzureDeveloperCli]
            })
        }
    }
}

impl Way {
    /// A token, from whoever gives it this way. Nothing is kept: that is for whoever asks.
    pub(crate) async fn token(
        &self,
        scope: &str,
        machine: &Machine,
    ) -> Result<AccessToken, NotSignedIn> {
        if let Self::Managed { hosted: false, .. } = self
            && !machine
                .wire
                .answers(INSTANCE_METADATA, Duration::from_secs(1))
                .await
        {
            return Err(NotSignedIn {
                why: "this machine has none: nothing answers at 169.254.169.254".to_owned(),
                passes: false,
            });
        }
        let credential = self.credential(machine).map_err(|e| self.unusable(&e))?;
        let asked = credential.get_token(&[scope], None).await;
        asked.map_err(|e| self.refused(&e))
    }

    fn credential(&self, machine: &Machine) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let options = || ClientOptions {
            cloud: cloud(machine),
            ..machine.wire.options()
        };
        Ok(match self {
            Self::Secret {
                tenant,
                client,
                secret,
            } => ClientSecretCredential::new(
                tenant,
                client.clone(),
                secret.clone().into(),
                Some(ClientSecretCredentialOptions {
                    client_options: options(),
                }),
            )?,
            Self::Workload {
                tenant,
                client,
                file,
            } => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions {
                    client_options: options(),
                },
                tenant_id: Some(tenant.clone()),
                client_id: Some(client.clone()),
                token_file_path: Some(file.clone()),
            }))?,
            Self::Managed { client, .. } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client.clone().map(UserAssignedId::ClientId),
                    client_options: options(),
                }))?
            }
            Self::AzureCli => AzureCliCredential::new(Some(AzureCliCredentialOptions {
                executor: Some(Arc::new(Tools)),
                ..AzureCliCredentialOptions::default()
            }))?,
            Self::AzureDeveloperCli => {
                AzureDeveloperCliCredential::new(Some(AzureDeveloperCliCredentialOptions {
                    executor: Some(Arc::new(Tools)),
                    ..AzureDeveloperCliCredentialOptions::default()
                }))?
            }
        })
    }

    /// What is wrong before anybody was asked.
    fn unusable(&self, error: &azure_core::Error) -> NotSignedIn {
        let why = match self {
            Self::Workload { file, .. } if !file.is_file() => format!(
                "there is no file `{}`, which `AZURE_FEDERATED_TOKEN_FILE` names",
                file.display()
            ),
            // What it says is of names, addresses and the platform.
            _ => error.to_string(),
        };
        NotSignedIn { why, passes: false }
    }

    fn refused(&self, error: &azure_core::Error) -> NotSignedIn {
        if let Some(failure) = Failure::of(error) {
            let hint = match (self, failure) {
                (Self::Managed { client, .. }, Failure::Answer(answer)) if answer.status == 400 => {
                    match client {
                        Some(_) => {
                            "; assign it to this machine, or mend the id that names it (`AZURE_CLIENT_ID`)"
                        }
                        None => {
                            "; give this machine an identity, or name the one to take in `AZURE_CLIENT_ID`"
                        }
                    }
                }
                _ => "",
            };
            return NotSignedIn {
                why: format!("{failure}{hint}"),
                passes: failure.passes(),
            };
        }
        match self {
            Self::AzureCli | Self::AzureDeveloperCli => said_by_tool(error),
            // An answer that holds a token perhaps: no word of it.
            Self::Secret { .. } | Self::Workload { .. } | Self::Managed { .. } => NotSignedIn {
                why: "the answer can't be understood".to_owned(),
                passes: true,
            },
        }
    }
}

/// What a tool wrote as its error; its output may hold a token.
fn said_by_tool(error: &azure_core::Error) -> NotSignedIn {
    let inner = error
        .source()
        .and_then(|cause| cause.downcast_ref::<azure_core::Error>());
    let why = match inner {
        Some(inner) if *inner.kind() == ErrorKind::Credential => {
            let text = inner.to_string();
            let mut lines = text
                .lines()
                .map(|line| line.trim_start_matches("ERROR:").trim());
            let line = lines.find(|line| !line.is_empty()).unwrap_or("it failed");
            line.chars().take(300).collect()
        }
        _ => "its answer can't be understood".to_owned(),
    };
    NotSignedIn { why, passes: false }
}

/// Another Azure than the public one.
fn cloud(machine: &Machine) -> Option<Arc<CloudConfiguration>> {
    let mut custom = CustomConfiguration::default();
    custom.authority_host = machine.env("AZURE_AUTHORITY_HOST")?;
    Some(Arc::new(CloudConfiguration::Custom(custom)))
}

/// For people.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { client, .. } => write!(f, "the service principal `{client}`"),
            Self::Workload { client, .. } => write!(f, "the workload identity `{client}`"),
            Self::Managed {
                client: Some(client),
                ..
            } => write!(f, "the managed identity `{client}`"),
            Self::Managed { client: None, .. } => f.write_str("the machine's managed identity"),
            Self::AzureCli => f.write_str("the Azure CLI"),
            Self::AzureDeveloperCli => f.write_str("the Azure Developer CLI"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn check(identity: &Identity, env: &'static [(&str, &str)], expected: &str) {
        let machine = Machine::new(
            |name| {
                let mut found = env.iter().filter(|(it, _)| *it == name);
                found.next().map(|(_, value)| (*value).to_owned())
            },
            || DateTime::UNIX_EPOCH,
        );
        let told = match ways(identity, &machine) {
            Ok(ways) => {
                let ways: Vec<_> = ways.iter().map(ToString::to_string).collect();
                ways.join(", ")
            }
            Err(why) => why,
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn what_the_environment_says_for_certain_is_the_only_way() {
        let who = &Identity::Default;
        check(
            who,
            &[],
            "the machine's managed identity, the Azure CLI, the Azure Developer CLI",
        );
        check(
            who,
            &[("AZURE_CLIENT_ID", "me"), ("IDENTITY_ENDPOINT", "http://x")],
            "the managed identity `me`",
        );
        check(
            who,
            &[
                ("AZURE_TENANT_ID", "t"),
                ("AZURE_CLIENT_ID", "me"),
                ("AZURE_CLIENT_SECRET", "s"),
                ("IDENTITY_ENDPOINT", "http://x"),
            ],
            "the service principal `me`",
        );
        check(
            who,
            &[
                ("AZURE_TENANT_ID", "t"),
                ("AZURE_CLIENT_ID", "me"),
                ("AZURE_FEDERATED_TOKEN_FILE", "/f"),
                ("AZURE_CLIENT_SECRET", " "),
            ],
            "the workload identity `me`",
        );
        check(
            who,
            &[("AZURE_CLIENT_ID", "me"), ("AZURE_CLIENT_SECRET", "s")],
            "`AZURE_CLIENT_SECRET` is set, but not `AZURE_TENANT_ID`; set all of them, or none",
        );
    }

    #[test]
    fn whoever_is_named_is_taken() {
        let env = &[("AZURE_CLIENT_ID", "other"), ("AZURE_CLIENT_SECRET", "s")];
        check(
            &Identity::Managed(Some("me".into())),
            env,
            "the managed identity `me`",
        );
        check(
            &Identity::Managed(None),
            env,
            "the machine's managed identity",
        );
        let principal = |tenant: Option<&str>| Identity::ServicePrincipal {
            tenant: tenant.map(str::to_owned),
            client: "me".into(),
            secret: "s".into(),
        };
        check(&principal(Some("t")), env, "the service principal `me`");
        check(
            &principal(None),
            env,
            "the service principal `me` belongs to a directory that nobody names; set `AZURE_TENANT_ID`",
        );
    }
}
