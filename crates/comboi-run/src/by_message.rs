//! A run that goes by messages: what follows when the timer fires, when a message comes, and when one has failed too often.
//!
//! Each answers with the messages that are to be sent before the work counts as done. Whoever sends them may die in between: the message
//! that asked for the work comes again then, or the timer finds the run. So everything here may be done twice, and at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use comboi_plan::Plan;
use comboi_project::{DatabaseIncremental, DatasetId, FanOut, RunId, Stage};
use tracing::{error, info, warn};

use crate::ledger::LedgerError;
use crate::message::TaskMessage;
use crate::runner::{RunError, Runner};
use crate::steps::{OpenRun, Step};
use crate::task::chain;

/// A run that somebody was at work on so long ago has lost its message.
const QUIET: TimeDelta = TimeDelta::minutes(12);
/// A run that has not ended after so long is given up.
const MOST: TimeDelta = TimeDelta::hours(24);
/// How often in a row a stage may reach the time limit without any progress.
const MOST_STUCK: u32 = 2;
/// How often a message that failed too often is tried anew with the instance to itself.
const MORE: u32 = 1;

/// What something came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What is to be sent before the work counts as done.
    pub send: Vec<TaskMessage>,
    /// What there is to say about it.
    pub said: Vec<String>,
}

impl Answer {
    fn said(text: impl Into<String>) -> Self {
        Self {
            send: Vec::new(),
            said: vec![text.into()],
        }
    }

    fn with(mut self, message: impl IntoIterator<Item = TaskMessage>) -> Self {
        self.send.extend(message);
        self
    }
}

impl Runner {
    /// The timer has fired, for this slot: goes on with what has not ended, else begins a run over the plan. `config` is for the messages.
    pub async fn on_timer(&self, slot: &str, config: &str, plan: Plan) -> Result<Answer, RunError> {
        let mut answer = Answer::default();
        self.ledger().take_over_schedule().await?;
        if let Some(other) = self.other_app().await? {
            error!(event = "other_app", run = other.run.0, "{other}");
            answer.said.push(other.to_string());
        }
        let mut busy = false;
        self.close_unbegun().await?;
        for run in self.ledger().open_runs().await? {
            match self.look_after(run, config, &mut answer).await {
                Ok(goes_on) => busy |= goes_on,
                // It would stop all others, and its tasks are those of the next run too.
                Err(RunError::Ledger(e @ LedgerError::Damaged { .. })) => {
                    self.ledger().set_aside(run).await?;
                    let why = chain(&e);
                    error!(
                        event = "run_set_aside",
                        run = run.0,
                        "run {run} can't go on and is set aside: {why}"
                    );
                    let text = format!("run {run} can't go on and is set aside: {why}");
                    answer.said.push(text);
                }
                Err(e) => return Err(e),
            }
        }
        if busy {
            return Ok(answer);
        }
        if plan.tasks.is_empty() {
            let text = "the project has no datasets, so there is nothing to run";
            answer.said.push(text.to_owned());
            return Ok(answer);
        }
        let run = self.begin(slot, plan).await?;
        let is_open = self.ledger().open_runs().await?.contains(&run);
        match self.open_run(run).await?.filter(|_| is_open) {
            Some(open) => {
                answer
                    .send
                    .extend(self.after(config, run, &open.left).await?);
                info!(
                    event = "run_by_timer",
                    run = run.0,
                    slot,
                    "run {run} begins by the timer"
                );
                answer.said.push(format!("run {run} begins"));
            }
            None => {
                let text = format!("run {run} was begun for this time and has ended");
                answer.said.push(text);
            }
        }
        Ok(answer)
    }

    /// Looks what has become of a run that has not ended; says whether it goes on.
    async fn look_after(
        &self,
        run: RunId,
        config: &str,
        answer: &mut Answer,
    ) -> Result<bool, RunError> {
        let now = self.clock.now();
        if self.ledger().is_closed(run).await? {
            // Who noted it as open was late.
            self.ledger().set_aside(run).await?;
            return Ok(false);
        }
        let Some(open) = self.open_run(run).await? else {
            self.ledger().set_aside(run).await?;
            let text = format!("run {run} left no plan and is set aside");
            warn!(event = "run_set_aside", run = run.0, "{text}");
            answer.said.push(text);
            return Ok(false);
        };
        if now - open.begun_at > MOST {
            self.give_up_run(&open).await?;
            let text = format!("run {run} has not ended within a day and was given up");
            answer.said.push(text);
            return Ok(false);
        }
        let last = open.touched.unwrap_or(open.begun_at);
        if now - last < QUIET {
            let text = format!("run {run} is under way, so no other is begun");
            answer.said.push(text);
            return Ok(true);
        }
        warn!(
            event = "message_lost",
            run = run.0,
            "run {run} has lost its message and is asked to go on"
        );
        let text = format!("run {run} is asked to go on, so no other is begun");
        answer.said.push(text);
        let next = self.after(config, run, &open.left).await?;
        answer.send.extend(next);
        Ok(true)
    }

    /// A message has come. `name` is the same for each delivery of it; `plan` is all that could be asked for. After `limit` the work stops
    /// between two commits, and what is left is for another message.
    pub async fn on_message(
        &self,
        name: &str,
        message: &TaskMessage,
        config: &str,
        plan: Plan,
        limit: Option<Duration>,
    ) -> Result<Answer, RunError> {
        let run = match message.run {
            Some(run) => run,
            None => {
                let stages = message.stages();
                let plan = plan.without(|task| !stages.contains(&task.dataset.stage()));
                if plan.tasks.is_empty() {
                    return Ok(Answer::said("the stages of the message have no datasets"));
                }
                self.begin(&format!("message-{name}"), plan).await?
            }
        };
        let stage = message.stage;
        if message.task.is_none() && self.project.fan_out() == FanOut::Task {
            if self.ledger().order(run).await?.is_none() {
                return self.refused(name, &no_such(run)).await;
            }
            return self.one_for_each_task(run, message, config).await;
        }
        let limited = Limited::after(limit, self);
        let step = self.step(run, stage, message.task.as_ref()).await;
        let out_of_time = limited.is_reached();
        drop(limited);
        match step? {
            Step::Done => self.through(run, message, config).await,
            Step::Unfinished { advanced } if out_of_time => {
                self.continued(run, message, config, advanced, limit).await
            }
            Step::Unfinished { .. } if self.stop.requested() => Err(RunError::Again(
                "the process was asked to end; the message comes again".to_owned(),
            )),
            Step::Unfinished { .. } if self.is_done_with_its_task(run, message).await? => {
                let text = format!("run {run}: other tasks of {stage} go on");
                Ok(Answer::said(text))
            }
            Step::Unfinished { .. } => Err(RunError::Again(format!(
                "run {run}: not everything of {stage} could be written down; the message comes again"
            ))),
            Step::Early => Ok(Answer::said(format!(
                "run {run}: {stage} waits for an earlier stage, whose end asks for it again"
            ))),
            Step::Ended => Ok(Answer::said(format!("run {run} has ended"))),
            Step::NoSuchRun => self.refused(name, &no_such(run)).await,
        }
    }

    /// A message has failed, or its process was killed over it, as often as the host tries.
    pub async fn on_poison(
        &self,
        name: &str,
        message: TaskMessage,
        config: &str,
    ) -> Result<Answer, RunError> {
        let stage = message.stage;
        if message.poisoned < MORE {
            let again = TaskMessage {
                poisoned: message.poisoned + 1,
                ..message
            };
            warn!(event = "message_poisoned", %stage, "a message failed too often and is tried anew, one task at a time");
            let text = format!("{stage} is tried anew, one task at a time");
            return Ok(Answer::said(text).with([again]));
        }
        let Some(run) = message.run else {
            let why =
                "it failed too often before its run could begin; the log of `executor` says why";
            return self.refused(name, why).await;
        };
        let why = "the function that did it failed or was killed ten times; its log says why, and if it says nothing, the instance has too little memory or time";
        let left = self.tasks_left(run, stage).await?;
        self.give_up(run, &left, why).await?;
        error!(event = "stage_given_up", run = run.0, %stage, "run {run}: {stage} was given up: {why}");
        let mut answer = Answer::said(format!("run {run}: {stage} was given up"));
        // Nothing is left to do there; this tells whether the run is still open.
        if self.step(run, stage, None).await? == Step::Done {
            let next = self.after(config, run, &message.remaining).await?;
            answer.send.extend(next);
        }
        Ok(answer)
    }

    /// Puts a message on record that nobody can ever do.
    pub async fn refuse(&self, name: &str, why: &str) -> Result<(), RunError> {
        error!(
            event = "message_refused",
            message_id = name,
            "the message {name} is refused: {why}"
        );
        self.ledger().refuse(name, why, self.clock.now()).await?;
        Ok(())
    }

    async fn refused(&self, name: &str, why: &str) -> Result<Answer, RunError> {
        self.refuse(name, why).await?;
        Ok(Answer::said(format!("refused: {why}")))
    }

    /// The message of the next stage of a run; there is none after the last, and the run is ended.
    async fn after(
        &self,
        config: &str,
        run: RunId,
        left: &[Stage],
    ) -> Result<Option<TaskMessage>, RunError> {
        let next = TaskMessage::first(Some(config.to_owned()), Some(run), left);
        if next.is_none() && self.end(run).await?.is_none() {
            warn!(
                run = run.0,
                "run {run} has tasks that nobody has done; the timer asks for them"
            );
        }
        Ok(next)
    }

    async fn through(
        &self,
        run: RunId,
        message: &TaskMessage,
        config: &str,
    ) -> Result<Answer, RunError> {
        let next = self.after(config, run, &message.remaining).await?;
        let text = format!("run {run}: {} is through", message.stage);
        Ok(Answer::said(text).with(next))
    }

    async fn one_for_each_task(
        &self,
        run: RunId,
        message: &TaskMessage,
        config: &str,
    ) -> Result<Answer, RunError> {
        let tasks = self.tasks_left(run, message.stage).await?;
        if tasks.is_empty() {
            return self.through(run, message, config).await;
        }
        let text = format!("run {run}: {} messages for {}", tasks.len(), message.stage);
        let messages = tasks.into_iter().map(|task| TaskMessage {
            run: Some(run),
            task: Some(task),
            ..message.clone()
        });
        Ok(Answer::said(text).with(messages))
    }

    /// The time limit was reached: the rest is for another message, unless nothing ever comes of it.
    async fn continued(
        &self,
        run: RunId,
        message: &TaskMessage,
        config: &str,
        advanced: bool,
        limit: Option<Duration>,
    ) -> Result<Answer, RunError> {
        let stage = message.stage;
        let limit = in_words(limit.unwrap_or_default());
        let stuck = if advanced { 0 } else { message.stuck + 1 };
        if stuck > MOST_STUCK {
            let why = format!(
                "it takes longer than the {limit} that a function has (`functionTimeout` in host.json) and made no commit in {stuck} functions in a row"
            );
            for dataset in self.tasks_left(run, stage).await? {
                let more = self.after_the_limit(&dataset).await;
                self.give_up(run, &[dataset], &format!("{why}; {more}"))
                    .await?;
            }
            error!(event = "stage_given_up", run = run.0, %stage, "run {run}: {stage} was given up: {why}");
            return self.through(run, message, config).await;
        }
        let again = TaskMessage {
            run: Some(run),
            stuck,
            ..message.clone()
        };
        info!(event = "stage_continued", run = run.0, %stage, advanced, "run {run}: {stage} goes on in another invocation");
        let text = format!("run {run}: {stage} goes on in another invocation after {limit}");
        Ok(Answer::said(text).with([again]))
    }

    /// What there is of a dataset that never ended within the time limit, and what to do.
    async fn after_the_limit(&self, dataset: &DatasetId) -> String {
        let latest = self.lake.table(dataset).latest().await;
        let has_rows = latest.is_ok_and(|latest| latest.is_some());
        let there = match has_rows {
            true => "what was committed of it before stays",
            false => "nothing of it is in the lake",
        };
        let Some((_, table)) = self.project.database_table(dataset) else {
            return format!("{there}. Give functions more time");
        };
        let mut ways = vec!["give functions more time".to_owned()];
        if table.incremental() == DatabaseIncremental::Full {
            ways.push("name an `incremental_column`, since `full` is read in one piece".to_owned());
        } else {
            ways.push(
                "make `commit_rows` smaller, so that less is read before a commit".to_owned(),
            );
            if table.query.is_some() {
                ways.push(
                    "name a `table:` instead of the `query`, which can always be read in parts"
                        .to_owned(),
                );
            }
            if table.key().is_empty() {
                ways.push("name its `primary_key`, with which a first load goes on even if its source changes".to_owned());
            }
        }
        format!("{there}. To have it loaded: {}", ways.join("; or "))
    }

    async fn is_done_with_its_task(
        &self,
        run: RunId,
        message: &TaskMessage,
    ) -> Result<bool, RunError> {
        let Some(task) = &message.task else {
            return Ok(false);
        };
        Ok(!self.tasks_left(run, message.stage).await?.contains(task))
    }

    async fn give_up_run(&self, open: &OpenRun) -> Result<(), RunError> {
        for stage in &open.left {
            let why = "the run had not ended within a day, so it was given up; what it committed stays, and the next run does the rest";
            let left = self.tasks_left(open.run, *stage).await?;
            self.give_up(open.run, &left, why).await?;
            error!(event = "stage_given_up", run = open.run.0, %stage, "run {}: {stage} was given up: {why}", open.run);
        }
        self.end(open.run).await?;
        Ok(())
    }
}

/// A time in words.
fn in_words(time: Duration) -> String {
    let (count, unit) = match time.as_secs() {
        seconds if seconds < 120 => (seconds, "second"),
        seconds => (seconds / 60, "minute"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

fn no_such(run: RunId) -> String {
    format!("the message is of run {run}, which was never begun or is forgotten")
}

/// Asks a runner to stop when the time is over, unless it is dropped before.
struct Limited {
    reached: Arc<AtomicBool>,
    waiting: Option<tokio::task::JoinHandle<()>>,
}

impl Limited {
    fn after(limit: Option<Duration>, runner: &Runner) -> Self {
        let reached = Arc::<AtomicBool>::default();
        if let Some(deadline) = limit.and_then(|limit| Instant::now().checked_add(limit)) {
            runner.stop.announce(deadline);
        }
        let waiting = limit.map(|limit| {
            let (runner, reached) = (runner.clone(), Arc::clone(&reached));
            tokio::spawn(async move {
                runner.clock.wait(limit).await;
                reached.store(true, Ordering::SeqCst);
                runner.stop.request();
            })
        });
        Self { reached, waiting }
    }

    fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        if let Some(waiting) = &self.waiting {
            waiting.abort();
        }
    }
}
