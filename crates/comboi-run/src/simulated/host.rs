//! Hosts with their queue: what the Functions host does with timers, messages and processes that die.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comboi_project::Stage;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::shop::{Process, Shop, plan};
use crate::by_message::Answer;
use crate::message::TaskMessage;
use crate::runner::RunError;

const HOUR: Duration = Duration::from_secs(3600);
/// For how long a message is invisible whose process died.
const LEASE: Duration = Duration::from_secs(600);
/// How often the host tries a message.
const MOST_TRIES: u32 = 5;
/// For how many hours things go wrong at most.
const BAD_HOURS: u64 = 3;
/// How many messages come in an hour of load.
const EACH_HOUR: u64 = 100;
/// By when everything has to have ended: before a run is given up for its age, which would hide that nobody asked for it again.
const MOST_HOURS: u64 = 16;
const CONFIG: &str = "configs/shop.yml";

/// Hosts at work.
pub(super) struct Host {
    shared: Arc<Shared>,
    at_work: JoinSet<()>,
}

struct Shared {
    shop: Arc<Shop>,
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    next: u64,
    messages: BTreeMap<u64, Message>,
    /// How many are being worked on.
    taken: usize,
}

#[derive(Clone)]
struct Message {
    /// The message's id: the same for each delivery.
    name: String,
    text: String,
    is_poison: bool,
    tries: u32,
    visible: Duration,
}

impl Host {
    /// Two hosts that take messages, and somebody who sends some by hand.
    pub(super) fn start(shop: Arc<Shop>) -> Self {
        let mut host = Self::of(shop, 2);
        host.at_work.spawn(Arc::clone(&host.shared).by_hand());
        host
    }

    /// So many hosts that take messages.
    pub(super) fn of(shop: Arc<Shop>, hosts: usize) -> Self {
        let shared = Arc::new(Shared {
            shop,
            queue: Mutex::default(),
            changed: Notify::new(),
        });
        let mut at_work = JoinSet::new();
        for _ in 0..hosts {
            at_work.spawn(Arc::clone(&shared).listen());
        }
        Self { shared, at_work }
    }

    /// The timer fires each hour, until nothing goes wrong any more, a whole run of that time has ended, and no message is left.
    pub(super) async fn until_all_is_quiet(self) {
        let bad_hours = 1 + self.shared.shop.chance.below(BAD_HOURS);
        self.goes_on(0, bad_hours).await;
    }

    /// For hours very many messages come, in any order, many of them twice and some that nobody understands, while two timers fire; then
    /// until all is quiet.
    pub(super) async fn under_load(mut self, messages: u64) {
        let hours = messages / EACH_HOUR;
        for hour in 0..hours {
            self.shared.shop.sells();
            for _ in 0..2 {
                self.fires(hour);
            }
            for _ in 0..EACH_HOUR {
                self.shared.comes();
            }
            self.shared.shop.time.sleep(HOUR).await;
            // What has ended is not kept.
            while self.at_work.try_join_next().is_some() {}
        }
        self.goes_on(hours, 0).await;
    }

    async fn goes_on(mut self, first: u64, bad_hours: u64) {
        let shared = Arc::clone(&self.shared);
        for hour in first..first + MOST_HOURS {
            let misbehaves = hour < first + bad_hours;
            shared.shop.misbehaves.store(misbehaves, Ordering::SeqCst);
            if !misbehaves && shared.is_quiet().await {
                // What came last is loaded now.
                shared.fires(hour).await;
                shared.shop.time.sleep(HOUR).await;
                // Somebody may have sent a message by hand meanwhile.
                if !shared.is_quiet().await {
                    continue;
                }
                self.at_work.shutdown().await;
                return;
            }
            if misbehaves {
                shared.shop.sells();
            }
            let at_once = 1 + u64::from(shared.shop.chance.happens(200));
            for _ in 0..at_once {
                self.fires(hour);
            }
            shared.shop.time.sleep(HOUR).await;
        }
        panic!("there are runs that never end");
    }

    /// A timer of its own.
    fn fires(&mut self, hour: u64) {
        let shared = Arc::clone(&self.shared);
        self.at_work.spawn(async move { shared.fires(hour).await });
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn is_quiet(&self) -> bool {
        let process = self.shop.process();
        let open = process.runner.open_runs().await;
        let queue = self.queue();
        open.is_ok_and(|open| open.is_empty()) && queue.messages.is_empty() && queue.taken == 0
    }

    async fn fires(&self, hour: u64) {
        let process = self.shop.process();
        let plan = plan();
        let slot = format!("timer-{hour}");
        let work = async {
            let answer = process.runner.on_timer(&slot, CONFIG, plan).await;
            self.sends(answer).await
        };
        tokio::select! {
            biased;
            () = process.store.died() => {}
            _ = work => {}
        }
    }

    async fn by_hand(self: Arc<Self>) {
        let chance = self.shop.chance.clone();
        for _ in 0..chance.below(3) {
            self.shop
                .time
                .sleep(Duration::from_secs(chance.below(80 * 60)))
                .await;
            let stages = &Stage::ALL[usize::from(chance.happens(300))..];
            if let Some(message) = TaskMessage::first(None, None, stages) {
                self.put(&message.to_text(), false);
            }
            if chance.happens(100) {
                self.put("bronze", false);
            }
            if self.shop.misbehaves.load(Ordering::SeqCst) {
                self.shop.sells();
            }
        }
    }

    /// Somebody asks for the rest of a run, from any stage on; or the message is none.
    fn comes(&self) {
        let chance = &self.shop.chance;
        let within_the_hour = || {
            let seconds = chance.below(HOUR.as_secs());
            self.shop.time.now() + Duration::from_secs(seconds)
        };
        let from = usize::try_from(chance.below(3)).unwrap_or(0);
        let message = TaskMessage::first(None, None, &Stage::ALL[from..]);
        let text = match message.filter(|_| !chance.happens(10)) {
            Some(message) => message.to_text(),
            None => "{\"stage\": \"bro".to_owned(),
        };
        let name = self.adds(None, &text, false, within_the_hour());
        if chance.happens(300) {
            self.adds(Some(name), &text, false, within_the_hour());
        }
    }

    fn put(&self, text: &str, is_poison: bool) {
        self.adds(None, text, is_poison, self.shop.time.now());
    }

    /// Answers the message's name. One that comes again has the name of the first.
    fn adds(&self, name: Option<String>, text: &str, is_poison: bool, visible: Duration) -> String {
        let mut queue = self.queue();
        queue.next += 1;
        let id = queue.next;
        let name = name.unwrap_or_else(|| format!("m{id}"));
        let message = Message {
            name: name.clone(),
            text: text.to_owned(),
            is_poison,
            tries: 0,
            visible,
        };
        queue.messages.insert(id, message);
        self.changed.notify_waiters();
        name
    }

    /// Sends what an answer asks to be sent. Says whether the work counts as done.
    async fn sends(&self, answer: Result<Answer, RunError>) -> bool {
        let Ok(answer) = answer else { return false };
        let chance = &self.shop.chance;
        for message in answer.send {
            let text = message.to_text();
            if self.shop.misbehaves.load(Ordering::SeqCst) {
                if chance.happens(20) {
                    return false;
                }
                self.shop
                    .time
                    .sleep(Duration::from_millis(chance.below(1000)))
                    .await;
                if chance.happens(50) {
                    // The answer was lost, so it was sent again.
                    self.put(&text, false);
                }
            }
            self.put(&text, false);
        }
        true
    }

    async fn listen(self: Arc<Self>) {
        loop {
            match self.take() {
                Some((id, message)) => self.handle(id, message).await,
                None => {
                    let next = self.queue().messages.values().map(|it| it.visible).min();
                    let wait = async {
                        match next {
                            Some(next) => self.shop.time.sleep_until(next).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        () = self.changed.notified() => {}
                        () = wait => {}
                    }
                }
            }
        }
    }

    /// Any message that is visible: queues keep no order.
    fn take(&self) -> Option<(u64, Message)> {
        let chance = &self.shop.chance;
        let now = self.shop.time.now();
        let mut queue = self.queue();
        let visible: Vec<u64> = queue
            .messages
            .iter()
            .filter(|(_, message)| message.visible <= now)
            .map(|(id, _)| *id)
            .collect();
        let count = u64::try_from(visible.len()).ok().filter(|it| *it > 0)?;
        let id = visible[usize::try_from(chance.below(count)).ok()?];
        let twice = self.shop.misbehaves.load(Ordering::SeqCst) && chance.happens(50);
        let message = queue.messages.get_mut(&id)?;
        message.tries += 1;
        if !twice {
            message.visible = now + LEASE;
        }
        let message = message.clone();
        queue.taken += 1;
        Some((id, message))
    }

    async fn handle(&self, id: u64, message: Message) {
        let process = self.shop.process();
        let work = async {
            let answer = answered(&process, &message).await;
            self.sends(answer).await
        };
        tokio::pin!(work);
        let done = loop {
            tokio::select! {
                biased;
                () = process.store.died() => break None,
                done = &mut work => break Some(done),
                () = self.shop.time.sleep(LEASE / 2) => {
                    if let Some(message) = self.queue().messages.get_mut(&id) {
                        message.visible = self.shop.time.now() + LEASE;
                    }
                }
            }
        };
        let chance = &self.shop.chance;
        let misbehaves = self.shop.misbehaves.load(Ordering::SeqCst);
        let mut queue = self.queue();
        queue.taken -= 1;
        let gone = match done {
            // Nobody hears that it is done, and it comes again.
            Some(true) => !(misbehaves && chance.happens(30)),
            _ if message.tries >= MOST_TRIES => {
                drop(queue);
                if !message.is_poison {
                    self.put(&message.text, true);
                }
                queue = self.queue();
                true
            }
            Some(false) => {
                if let Some(message) = queue.messages.get_mut(&id) {
                    message.visible = self.shop.time.now() + Duration::from_secs(60);
                }
                false
            }
            None => false,
        };
        if gone {
            queue.messages.remove(&id);
        }
        drop(queue);
        self.changed.notify_waiters();
    }
}

async fn answered(process: &Process, message: &Message) -> Result<Answer, RunError> {
    let runner = &process.runner;
    let task = match TaskMessage::parse(&message.text) {
        Ok(task) => task,
        Err(why) => {
            runner.refuse(&message.name, &why).await?;
            return Ok(Answer::default());
        }
    };
    if message.is_poison {
        return runner.on_poison(&message.name, task, CONFIG).await;
    }
    let plan = plan();
    runner
        .on_message(&message.name, &task, CONFIG, plan, None)
        .await
}
