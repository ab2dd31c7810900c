//! What a project has in Azure: its containers, and who comboi is there.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use comboi_azure::{Connection, Identities, Machine, TaskQueue, Vault};
use comboi_lake::{Access, Container, Lake, Root, Source, State, StorageTokens};
use comboi_project::{
    DataLake, NoVault, Project, SecretName, Secrets, SecretsError, Setting, Stage,
};
use comboi_run::Clock;
use comboi_sources::database::{Databases, Identity};

use crate::exit::Usage;
use crate::wiring;

/// Whom tokens for Azure Storage are for.
const STORAGE: &str = "https://storage.azure.com/.default";

/// Where secrets and tokens come from. Nothing is asked for before it is needed.
#[derive(Clone)]
pub(crate) struct Cloud {
    secrets: Arc<dyn Secrets>,
    identities: Arc<Identities>,
}

/// Where the datasets of each stage are.
pub(crate) struct Places(BTreeMap<Stage, Root>);

impl Cloud {
    pub(crate) fn of(project: &Project) -> Self {
        let clock = Clock::system();
        let machine = Machine::new(wiring::environment(), move || clock.now());
        let identities = Arc::new(Identities::new(machine));
        let secrets: Arc<dyn Secrets> = match &project.key_vault {
            Some(vault) => {
                let url = vault.vault_url.clone();
                Arc::new(Vault::new(url, Arc::clone(&identities)))
            }
            None => Arc::new(NoVault),
        };
        Self {
            secrets,
            identities,
        }
    }

    /// What opens the databases of sources.
    pub(crate) fn databases(&self) -> Databases {
        let tokens = Arc::clone(&self.identities);
        Databases::new(Arc::clone(&self.secrets), tokens)
    }

    /// Whether a secret can be read.
    pub(crate) fn check(&self, secret: &SecretName) -> Result<(), SecretsError> {
        self.secrets.secret(secret).map(|_| ())
    }

    /// The queue of tasks: what the configuration says, else the settings of the app.
    pub(crate) fn queue(&self, project: &Project) -> anyhow::Result<TaskQueue> {
        self.queue_of(project.queue.as_ref())
    }

    /// Why nobody would do what this app sends: the Functions host listens to the queue of the settings, whatever the configuration says.
    /// `None` if both are the same, or no host is told of any.
    pub(crate) fn unheard(&self, queue: &TaskQueue) -> Option<String> {
        let heard = self.queue_of(None).ok()?;
        (!heard.is(queue)).then(|| {
            format!(
                "the configuration sends to {queue}, and the Functions host listens to {heard}, so nobody would do what is sent; take `queue:` out of the configuration, or have it name what the settings `COMBOI_QUEUE_NAME` and `COMBOI_QUEUE_CONNECTION` do"
            )
        })
    }

    fn queue_of(&self, said: Option<&comboi_project::Queue>) -> anyhow::Result<TaskQueue> {
        let connection = match said.map(|queue| (&queue.connection_string, &queue.account_name)) {
            Some((Some(text), _)) => Connection::ByString(text.resolve(self.secrets.as_ref())?),
            Some((None, Some(account))) => {
                Connection::of_account(account.resolve(self.secrets.as_ref())?.expose())
            }
            _ => Connection::of(&wiring::setting)?,
        };
        let name = match said {
            Some(queue) => queue.name.clone(),
            None => TaskQueue::name_of(&wiring::setting),
        };
        let who = match &connection {
            Connection::ByIdentity {
                client_id: Some(client),
                ..
            } => Identity::Managed(Some(client.clone())),
            Connection::ByIdentity {
                client_id: None, ..
            }
            | Connection::ByString(_) => Identity::Default,
        };
        let credential = self.identities.credential(who);
        Ok(TaskQueue::new(&name, &connection, Some(credential))?)
    }

    /// Where the stages are: folders of this machine, or containers.
    pub(crate) fn places(&self, project: &Project) -> anyhow::Result<Places> {
        let mut places = BTreeMap::new();
        let mut taken: BTreeMap<String, Stage> = BTreeMap::new();
        for stage in Stage::ALL {
            let root = match &project.stages.get(stage).data_lake {
                Some(data_lake) => {
                    let container = self.container(data_lake)?;
                    let place = format!("{}/{}", container.account, container.name);
                    if let Some(other) = taken.insert(place.clone(), stage)
                        && !project.stages.template(stage).as_str().contains("{stage}")
                    {
                        let text = format!(
                            "stages `{other}` and `{stage}` both live in the container `{place}`; give each its own `file_system`, or begin the `remote_path_template` of each with `{{stage}}/`"
                        );
                        return Err(Usage(text).into());
                    }
                    Root::container(container)?
                }
                None => Root::folder(&project.stage_folder(stage))?,
            };
            places.insert(stage, root);
        }
        Ok(Places(places))
    }

    fn container(&self, data_lake: &DataLake) -> anyhow::Result<Container> {
        let text = |setting: &Setting| -> anyhow::Result<String> {
            Ok(setting.resolve(self.secrets.as_ref())?.expose().to_owned())
        };
        let access = match &data_lake.credential {
            Some(credential) => Access::Credential(credential.resolve(self.secrets.as_ref())?),
            None => Access::Tokens(Arc::new(Storage(Arc::clone(&self.identities)))),
        };
        Ok(Container {
            account: text(&data_lake.account_name)?,
            name: text(&data_lake.file_system)?,
            endpoint: data_lake.endpoint.as_ref().map(text).transpose()?,
            access,
        })
    }
}

impl Places {
    pub(crate) fn lake(&self, project: &Project) -> anyhow::Result<Lake> {
        let stages = self.0.iter();
        let stages =
            stages.map(|(stage, root)| (*stage, (root.clone(), project.stages.template(*stage))));
        Ok(Lake::new(stages.collect())?)
    }

    /// Where runs are written down: beside bronze, so that whoever works on the lake finds them. `earlier` is the folder of the project where
    /// runs over folders were written down once.
    pub(crate) fn state(&self, project: &Project, earlier: &Path) -> anyhow::Result<State> {
        let root = self
            .0
            .get(&Stage::Bronze)
            .context("bronze has no place of its own")?;
        let state = State::in_root(root, project.name.clone());
        Ok(match &project.stages.get(Stage::Bronze).data_lake {
            Some(_) => state,
            None => state.with_earlier(earlier)?,
        })
    }
}

/// Tokens for Azure Storage.
struct Storage(Arc<Identities>);

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl StorageTokens for Storage {
    async fn token(&self) -> Result<String, Source> {
        Ok(self.0.bearer(STORAGE, &Identity::Default).await?)
    }
}
