//! A stand-in for the Azure Functions host, on a real Azurite.
//!
//! It shares nothing with the handler but the wire: it builds the bodies that the host builds, byte for byte, and does with the answers what
//! the host does. Where the handler does something that would go wrong under the real host, that is noted as a violation.
//! What it leaves out: the extension bundle, the scale controller, the timer's schedule, identities.

mod body;
mod queue;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use body::Timer;
use queue::Queue;

/// How the host is set up; times are those of the real one, made short.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For how long a message is invisible that is being worked on (10 minutes in the real host). It is renewed at half of it.
    pub lease: Duration,
    /// After how long a message comes again that failed.
    pub retry_after: Duration,
    /// How often a message is tried.
    pub max_dequeue_count: u32,
    /// The app settings.
    pub environment: BTreeMap<String, String>,
    /// Whether bodies are sent in chunks, as on Azure, or with their length.
    pub chunked: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(4),
            retry_after: Duration::from_millis(200),
            max_dequeue_count: 5,
            environment: BTreeMap::new(),
            chunked: true,
        }
    }
}

/// One invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The function.
    pub function: String,
    /// How often its message had been taken; 0 for a timer.
    pub dequeue_count: u32,
    /// Whether it succeeded.
    pub good: bool,
}

/// A host that is running.
pub struct FunctionsHost {
    shared: Arc<Shared>,
    listeners: Vec<std::thread::JoinHandle<()>>,
}

struct Shared {
    root: PathBuf,
    settings: Settings,
    executable: PathBuf,
    arguments: Vec<String>,
    port: u16,
    handler: Mutex<Handler>,
    stopping: AtomicBool,
    at_work: AtomicUsize,
    invocations: Mutex<Vec<Invocation>>,
    violations: Mutex<Vec<String>>,
    lines: Arc<Mutex<Vec<String>>>,
    renewals: AtomicUsize,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

#[derive(Default)]
struct Handler {
    child: Option<Child>,
    crashes: usize,
    gone_for_good: bool,
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FunctionsHost {
    /// Reads the app's files as the host does, starts the handler, and listens to its queues.
    ///
    /// # Panics
    /// With the host's complaint, when the app is not laid out as the host wants it.
    pub fn start(root: &Path, settings: Settings) -> Self {
        Self::try_start(root, settings).unwrap_or_else(|complaint| panic!("{complaint}"))
    }

    /// The same with the complaint as an error.
    pub fn try_start(root: &Path, settings: Settings) -> Result<Self, String> {
        let host = read_json(&root.join("host.json"))?;
        let description = &host["customHandler"]["description"];
        let executable = description["defaultExecutablePath"]
            .as_str()
            .ok_or("host.json has no customHandler.description.defaultExecutablePath")?;
        let own = root.join(executable);
        let executable = if own.is_file() {
            own
        } else {
            executable.into()
        };
        let functions = functions(root, &settings)?;
        if functions.is_empty() {
            return Err("0 functions loaded".into());
        }
        let queues: Vec<(String, String)> = functions
            .iter()
            .filter_map(|it| Some((it.name.clone(), it.queue.clone()?)))
            .collect();
        let bundle = host["extensionBundle"]["version"]
            .as_str()
            .unwrap_or_default();
        if !queues.is_empty() && !bundle.starts_with("[4.") {
            return Err("queueTrigger is not registered: host.json has no extensionBundle".into());
        }
        let words = description["arguments"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            settings,
            executable,
            arguments: words
                .iter()
                .filter_map(|it| it.as_str().map(str::to_owned))
                .collect(),
            port: free_port(),
            handler: Mutex::default(),
            stopping: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
            invocations: Mutex::default(),
            violations: Mutex::default(),
            lines: Arc::default(),
            renewals: AtomicUsize::new(0),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime can be made"),
            http: crate::azurite::client(),
        });
        shared.start_handler()?;
        let mut listeners: Vec<_> = queues
            .into_iter()
            .map(|(function, queue)| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.listen(&function, &Queue::new(&queue)))
            })
            .collect();
        let pinging = Arc::clone(&shared);
        listeners.push(std::thread::spawn(move || pinging.ping_now_and_then()));
        Ok(Self { shared, listeners })
    }

    /// Lets the timer fire once; says whether the function succeeded.
    pub fn fire(&self, function: &str, timer: Timer) -> bool {
        let body = timer.body(function, now());
        self.shared.invoke(function, 0, &body).is_some()
    }

    /// Runs a function as the portal's "Test/Run" does: with this text, as no message of any queue. Says whether it succeeded.
    pub fn by_hand(&self, function: &str, text: &str) -> bool {
        let body = body::by_hand(function, "msg", text, now());
        self.shared.invoke(function, 0, &body).is_some()
    }

    /// Waits until nothing is at work, and these queues have been empty for a while.
    ///
    /// # Panics
    /// When that does not come to pass within a minute and a half.
    pub fn drain(&self, queues: &[&str]) {
        let begun = Instant::now();
        let mut calm = 0;
        while calm < 3 {
            assert!(
                begun.elapsed() < Duration::from_secs(90),
                "the queues do not become empty; the handler said:\n{}",
                self.lines().join("\n")
            );
            let waiting: usize = queues
                .iter()
                .map(|queue| Queue::new(queue).length(&self.shared))
                .sum();
            let idle = waiting == 0 && self.shared.at_work.load(Ordering::SeqCst) == 0;
            calm = if idle { calm + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What was invoked so far, in the order of the ends.
    pub fn invocations(&self) -> Vec<Invocation> {
        lock(&self.shared.invocations).clone()
    }

    /// What would have gone wrong under the real host.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.shared.violations).clone()
    }

    /// What the handler wrote, lines of the standard error behind `! `.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.shared.lines).clone()
    }

    /// Waits until the handler has written a line with this text, which may come a moment after its answer.
    ///
    /// # Panics
    /// When it does not within ten seconds.
    pub fn says(&self, text: &str) {
        let begun = Instant::now();
        while !self.lines().iter().any(|line| line.contains(text)) {
            let lines = self.lines().join("\n");
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(10), "{text}: {lines}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How often a message was kept invisible for longer.
    pub fn renewals(&self) -> usize {
        self.shared.renewals.load(Ordering::SeqCst)
    }

    /// The handler's process.
    pub fn handler(&self) -> Option<u32> {
        lock(&self.shared.handler).child.as_ref().map(Child::id)
    }

    /// Ends the handler with SIGKILL, as the host does itself when a function takes too long.
    pub fn kill_handler(&self) {
        if let Some(child) = &mut lock(&self.shared.handler).child {
            drop(child.kill());
        }
    }

    /// Ends the host at once: its handler is killed, and its messages stay invisible until their leases end.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for FunctionsHost {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(child) = &mut lock(&self.shared.handler).child {
            drop(child.kill());
            drop(child.wait());
        }
        for listener in self.listeners.drain(..) {
            drop(listener.join());
        }
    }
}

impl Shared {
    fn start_handler(&self) -> Result<(), String> {
        let mut handler = lock(&self.handler);
        let mut command = Command::new(&self.executable);
        let port = self.port.to_string();
        command
            .args(&self.arguments)
            .current_dir(&self.root)
            .env_clear()
            .envs(&self.settings.environment)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", &port)
            .env("FUNCTIONS_HTTPWORKER_PORT", &port)
            .env(
                "FUNCTIONS_CUSTOMHANDLER_WORKER_ID",
                uuid::Uuid::new_v4().to_string(),
            )
            .env("FUNCTIONS_APP_ROOT_PATH", &self.root)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|e| format!("the handler can't be started: {e}"))?;
        if let Some(out) = child.stdout.take() {
            self.collect(out, "");
        }
        if let Some(err) = child.stderr.take() {
            self.collect(err, "! ");
        }
        handler.child = Some(child);
        drop(handler);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            if self.ping().is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(25));
            self.look_after_handler();
            if lock(&self.handler).gone_for_good {
                break;
            }
        }
        Err(format!(
            "the handler does not answer:\n{}",
            lock(&self.lines).join("\n")
        ))
    }

    fn collect(&self, from: impl std::io::Read + Send + 'static, mark: &'static str) {
        let lines = Arc::clone(&self.lines);
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                lock(&lines).push(format!("{mark}{line}"));
            }
        });
    }

    /// Restarts a handler that ended, as often as the host does.
    fn look_after_handler(&self) {
        let mut handler = lock(&self.handler);
        let Some(Ok(Some(status))) = handler.child.as_mut().map(Child::try_wait) else {
            return;
        };
        handler.child = None;
        if self.stopping.load(Ordering::SeqCst) {
            return;
        }
        if status.code() == Some(0) {
            handler.gone_for_good = true;
            lock(&self.violations).push("EXIT_ZERO: the handler is never started again".into());
            return;
        }
        if status.signal() != Some(9) {
            handler.crashes += 1;
        }
        if handler.crashes >= 3 {
            handler.gone_for_good = true;
            return;
        }
        drop(handler);
        if let Err(complaint) = self.start_handler() {
            lock(&self.violations).push(complaint);
        }
    }

    fn ping(&self) -> Option<()> {
        let url = format!("http://127.0.0.1:{}/", self.port);
        let ping = async {
            self.http
                .get(url)
                .timeout(Duration::from_secs(1))
                .send()
                .await
        };
        self.runtime.block_on(ping).ok().map(|_| ())
    }

    /// Whatever is going on, the handler answers.
    fn ping_now_and_then(&self) {
        while !self.stopping.load(Ordering::SeqCst) {
            self.look_after_handler();
            if lock(&self.handler).gone_for_good {
                return;
            }
            let process = lock(&self.handler).child.as_ref().map(Child::id);
            let begun = Instant::now();
            if self.ping().is_none() && begun.elapsed() >= Duration::from_secs(1) {
                let still = lock(&self.handler).child.as_ref().map(Child::id);
                if process == still && !self.stopping.load(Ordering::SeqCst) {
                    lock(&self.violations).push("BLOCKED: GET / takes longer than a second".into());
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Invokes a function; gives back its answer if it succeeded.
    fn invoke(&self, function: &str, dequeue_count: u32, body: &str) -> Option<Value> {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let answer = self.runtime.block_on(self.post(function, body));
        let good = answer.is_some();
        lock(&self.invocations).push(Invocation {
            function: function.to_owned(),
            dequeue_count,
            good,
        });
        self.at_work.fetch_sub(1, Ordering::SeqCst);
        answer
    }

    async fn post(&self, function: &str, body: &str) -> Option<Value> {
        let mut request = self
            .http
            .post(format!("http://127.0.0.1:{}/{function}", self.port))
            .header("X-Azure-Functions-HostVersion", "4.1037.0.0")
            .header(
                "X-Azure-Functions-InvocationId",
                uuid::Uuid::new_v4().to_string(),
            )
            .header("User-Agent", "Azure-Functions-Host/4.1037.0.0")
            .header("Content-Type", "application/json; charset=utf-8");
        let body = bytes::Bytes::from(body.to_owned());
        request = if self.settings.chunked {
            let once = futures::stream::once(async move { Ok::<_, std::io::Error>(body) });
            request.body(reqwest::Body::wrap_stream(once))
        } else {
            request.body(body)
        };
        let violation = |text: &str| lock(&self.violations).push(format!("{text} ({function})"));
        let answer = request.send().await.ok()?;
        let status = answer.status();
        if status.is_redirection() {
            violation("REDIRECT");
            return None;
        }
        let kind = answer
            .headers()
            .get("content-type")
            .and_then(|it| it.to_str().ok());
        let is_json = kind.is_some_and(|it| it.starts_with("application/json"));
        let text = answer.text().await.ok()?;
        if !status.is_success() {
            return None;
        }
        if !is_json {
            violation("CONTENT_TYPE: the answer is not application/json");
            return None;
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(answer)) => {
                for key in answer.keys() {
                    if !["Outputs", "Logs", "ReturnValue"].contains(&key.as_str()) {
                        violation(&format!("ANSWER: `{key}` means nothing to the host"));
                    }
                }
                // No function here has an output binding.
                if !matches!(answer.get("Outputs"), None | Some(Value::Null))
                    && answer["Outputs"] != serde_json::json!({})
                {
                    violation("ANSWER: outputs that function.json does not have");
                }
                Some(Value::Object(answer))
            }
            Ok(Value::Null) | Err(_) if text.is_empty() || text == "null" => {
                violation("EMPTY_RESPONSE: the invocation hangs until its time is over");
                None
            }
            _ => {
                violation("ANSWER: not an object");
                None
            }
        }
    }
}

struct Function {
    name: String,
    /// The queue that triggers it; none for a timer.
    queue: Option<String>,
}

/// The immediate folders that have a function.json.
fn functions(root: &Path, settings: &Settings) -> Result<Vec<Function>, String> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(root).map_err(|e| e.to_string())?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    for folder in folders
        .iter()
        .filter(|it| it.join("function.json").is_file())
    {
        let name = folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let function = read_json(&folder.join("function.json"))?;
        if let Some(script) = function["scriptFile"].as_str()
            && !folder.join(script).is_file()
        {
            return Err(format!("{name}: scriptFile `{script}` is not there"));
        }
        let bindings = function["bindings"].as_array().cloned().unwrap_or_default();
        let is_trigger = |it: &&Value| {
            it["type"]
                .as_str()
                .is_some_and(|kind| kind.ends_with("Trigger"))
        };
        let triggers: Vec<&Value> = bindings.iter().filter(is_trigger).collect();
        let [trigger] = triggers.as_slice() else {
            return Err(format!(
                "{name}: it has {} triggers instead of one",
                triggers.len()
            ));
        };
        let binding = trigger["name"].as_str().unwrap_or_default();
        if binding.is_empty() || !binding.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("{name}: `{binding}` is no name of a binding"));
        }
        let queue = match trigger["type"].as_str() {
            Some("queueTrigger") => {
                let connection = trigger["connection"]
                    .as_str()
                    .unwrap_or("AzureWebJobsStorage");
                let prefixed = format!("AzureWebJobs{connection}");
                let environment = &settings.environment;
                if !environment.contains_key(connection) && !environment.contains_key(&prefixed) {
                    return Err(format!("{name}: the connection `{connection}` is not set"));
                }
                let queue = trigger["queueName"].as_str().unwrap_or_default();
                Some(resolved(queue, environment)?.to_lowercase())
            }
            Some("timerTrigger") => {
                let schedule = trigger["schedule"].as_str().unwrap_or_default();
                let schedule = resolved(schedule, &settings.environment)?;
                if ![5, 6].contains(&schedule.split_whitespace().count()) {
                    return Err(format!("{name}: `{schedule}` is no schedule"));
                }
                None
            }
            other => return Err(format!("{name}: {other:?} is not known here")),
        };
        found.push(Function { name, queue });
    }
    Ok(found)
}

/// `%NAME%` is a setting.
fn resolved(text: &str, environment: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    for (place, part) in text.split('%').enumerate() {
        if place % 2 == 0 {
            out.push_str(part);
        } else {
            let value = environment.get(part);
            out.push_str(value.ok_or_else(|| format!("the setting `{part}` is not there"))?);
        }
    }
    Ok(out)
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "the host has a clock of its own")]
fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
