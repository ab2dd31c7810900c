//! What all invocations of one process share.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use comboi_azure::TaskQueue;
use comboi_project::Project;
use comboi_run::{Answer, Runner, Stop};
use tokio::runtime::Handle;
use tracing::info;

use super::Said;
use crate::cli::Global;
use crate::cloud::Cloud;
use crate::exit::Usage;
use crate::wiring;

pub(super) struct App {
    global: Global,
    /// Where the work is done.
    pub(super) working: Handle,
    /// Projects by their configurations. A deployed project does not change under a process that runs.
    loaded: Mutex<HashMap<PathBuf, Loaded>>,
    /// What is under way.
    stops: Mutex<Vec<Stop>>,
    ending: AtomicBool,
}

/// A project with what it needs in Azure: secrets and tokens are fetched once.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) project: Arc<Project>,
    cloud: Cloud,
    pub(super) queue: Arc<TaskQueue>,
}

impl Loaded {
    /// Sends what is to be sent before the work counts as done, and gives back what there is to say.
    pub(super) async fn send(&self, answer: Answer) -> Said {
        for message in &answer.send {
            self.queue.send(&message.to_text()).await?;
        }
        Ok(answer.said)
    }
}

/// A runner that is under way until it is dropped.
pub(super) struct Working<'a> {
    pub(super) runner: Runner,
    app: &'a App,
}

impl App {
    pub(super) fn new(global: Global, working: Handle) -> Self {
        Self {
            global,
            working,
            loaded: Mutex::default(),
            stops: Mutex::default(),
            ending: AtomicBool::new(false),
        }
    }

    /// The configuration that is meant where none is named, below the app's folder.
    pub(super) fn default_config(&self) -> PathBuf {
        match &self.global.config {
            Some(config) => config.clone(),
            None if wiring::app_folder().join("comboi.yml").is_file() => "comboi.yml".into(),
            None => "configs/default.yml".into(),
        }
    }

    /// A project by its configuration: the default one, or another one in the same folder.
    pub(super) fn load(&self, config: &Path) -> anyhow::Result<Loaded> {
        self.check_path(config)?;
        if let Some(loaded) = lock(&self.loaded).get(config) {
            return Ok(loaded.clone());
        }
        let path = wiring::app_folder().join(config);
        if !path.is_file() {
            let text = format!("there is no configuration `{}`", config.display());
            return Err(Usage(text).into());
        }
        let global = Global {
            config: Some(path),
            ..self.global.clone()
        };
        let project = Arc::new(wiring::project(&global)?);
        crate::command::hold_sql(&project)?;
        let cloud = Cloud::of(&project);
        let queue = Arc::new(cloud.queue(&project)?);
        if let Some(why) = cloud.unheard(&queue) {
            // Not a mistake of whoever sent a message: it is kept until the settings are mended.
            anyhow::bail!(why);
        }
        let loaded = Loaded {
            project,
            cloud,
            queue,
        };
        lock(&self.loaded).insert(config.to_owned(), loaded.clone());
        Ok(loaded)
    }

    /// A message may ask for what is deployed, and for nothing else on this machine.
    fn check_path(&self, config: &Path) -> anyhow::Result<()> {
        let default = self.default_config();
        let plain = config
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if config == default || (plain && config.parent() == default.parent()) {
            return Ok(());
        }
        let folder = default
            .parent()
            .unwrap_or(Path::new(""))
            .display()
            .to_string();
        let text = format!(
            "`config_path` is `{}`, but configurations are in `{folder}/`",
            config.display()
        );
        Err(Usage(text).into())
    }

    /// A runner for one invocation.
    pub(super) fn runner(&self, loaded: &Loaded, jobs: Option<u16>) -> anyhow::Result<Working<'_>> {
        let mut runner = wiring::runner_in(
            Arc::clone(&loaded.project),
            &loaded.cloud,
            jobs,
            Arc::new(|_| {}),
        )?;
        runner.queue = Some(loaded.queue.to_string());
        let mut stops = lock(&self.stops);
        if self.ending.load(Ordering::SeqCst) {
            runner.stop.request();
        }
        stops.push(runner.stop.clone());
        Ok(Working { runner, app: self })
    }

    /// Stops what is under way, between two commits, and waits so long for it.
    pub(super) async fn end(&self, patience: Duration) {
        self.ending.store(true, Ordering::SeqCst);
        for stop in lock(&self.stops).iter() {
            stop.request();
        }
        info!("comboi was asked to end; what is under way stops, and its message comes again");
        let begun = tokio::time::Instant::now();
        while !lock(&self.stops).is_empty() && begun.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        lock(&self.app.stops).retain(|stop| !stop.is(&self.runner.stop));
    }
}

fn lock<T>(what: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
