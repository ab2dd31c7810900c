//! What a task needs to use DuckDB: its limits, a scratch folder and a way to stop.

use std::cell::{OnceCell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use duckdb::InterruptHandle;

use crate::given::Given;
use crate::instance::Instance;
use crate::{Error, Limits, read_files};

/// DuckDB for one task. Instances are made when they are first needed, so that opening a session costs next to
/// nothing.
pub struct Session {
    limits: Limits,
    scratch: PathBuf,
    interrupter: Interrupter,
    free: RefCell<Option<Rc<Instance>>>,
    parser: OnceCell<Instance>,
    pub(crate) given: OnceCell<Given>,
}

impl Session {
    /// A session that spills below `scratch`, which is made if it is missing. Each instance has a folder of its
    /// own in there and removes it in the end.
    pub fn open(limits: &Limits, scratch: &Path) -> Result<Self, Error> {
        let unusable = |source| Error::Scratch {
            folder: scratch.to_owned(),
            source,
        };
        fs::create_dir_all(scratch).map_err(unusable)?;
        let scratch = std::path::absolute(scratch).map_err(unusable)?;
        Ok(Self {
            limits: *limits,
            scratch,
            interrupter: Interrupter::default(),
            free: RefCell::new(None),
            parser: OnceCell::new(),
            given: OnceCell::new(),
        })
    }

    /// A small one for a test.
    #[cfg(test)]
    pub(crate) fn small(scratch: &Path) -> Self {
        let limits = Limits {
            memory_bytes: 256 << 20,
            threads: 2,
            max_spill_bytes: None,
        };
        Self::open(&limits, scratch).unwrap()
    }

    /// A handle that stops what this session is doing, from any thread.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// What every instance of this session may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The absolute path of the scratch folder.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// The instance for comboi's own statements, which may read and write any file. Never for people's SQL.
    ///
    /// After an internal error of DuckDB it is another one, without the temporary tables of the first.
    pub(crate) fn free(&self) -> Result<Rc<Instance>, Error> {
        let mut free = self.free.borrow_mut();
        if let Some(instance) = free.as_ref().filter(|it| !it.is_broken()) {
            return Ok(Rc::clone(instance));
        }
        let instance = Instance::open(self, &self.limits)?;
        read_files::define(&instance)?;
        Ok(Rc::clone(free.insert(Rc::new(instance))))
    }

    /// The instance that parses people's SQL and finds its columns: it reaches no file at all.
    pub(crate) fn parser(&self) -> Result<&Instance, Error> {
        if self.parser.get().is_none() {
            let instance = self.confined(&[])?;
            Given::nothing().define(&instance)?;
            instance.lock()?;
            self.parser.get_or_init(|| instance);
        }
        Ok(self.parser.get().expect("it was set above"))
    }

    /// A new instance that reaches these files and nothing else. Set up its views, then
    /// [`lock`](Instance::lock) it before people's SQL runs.
    pub(crate) fn confined(&self, files: &[&Path]) -> Result<Instance, Error> {
        self.confined_within(&self.limits, files)
    }

    /// The same with other limits than the session's own.
    pub(crate) fn confined_within(
        &self,
        limits: &Limits,
        files: &[&Path],
    ) -> Result<Instance, Error> {
        let instance = Instance::open(self, limits)?;
        instance.confine(files)?;
        Ok(instance)
    }
}

/// Stops what a session is doing. Sticky: once stopped, a session begins nothing new.
#[derive(Clone, Default)]
pub struct Interrupter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    running: Mutex<Vec<Weak<InterruptHandle>>>,
}

impl Interrupter {
    /// Asks DuckDB to stop; what was running ends with [`Error::Interrupted`] within moments. May be called again.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        let running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for handle in running.iter().filter_map(Weak::upgrade) {
            handle.interrupt();
        }
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn watch(&self, handle: &Arc<InterruptHandle>) {
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.retain(|handle| handle.strong_count() > 0);
        running.push(Arc::downgrade(handle));
    }
}
