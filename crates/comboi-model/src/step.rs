//! What happens, one call at a time.

use crate::{Driver, Event, Executor, File, Message, Mistake, Next, Protocol, World};

const SILVER: u8 = 2;

fn small(number: usize) -> u8 {
    u8::try_from(number).expect("there are few of everything")
}

impl Protocol {
    fn makes(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    pub(crate) fn events(&self, world: &World, events: &mut Vec<Event>) {
        if world.source < self.rows {
            events.push(Event::Insert);
        }
        for (i, executor) in world.executors.iter().enumerate() {
            if executor.next == Next::Nothing {
                let free = world
                    .messages
                    .iter()
                    .enumerate()
                    .filter(|(_, it)| it.owner.is_none());
                events.extend(free.map(|(j, _)| Event::Take(small(i), small(j))));
                continue;
            }
            events.push(Event::Step(small(i)));
            if world.deaths > 0 {
                events.push(Event::Die(small(i)));
            }
        }
        if world.lost_leases > 0 {
            let taken = world
                .messages
                .iter()
                .enumerate()
                .filter(|(_, it)| it.owner.is_some());
            events.extend(taken.map(|(j, _)| Event::LoseLease(small(j))));
        }
        for (i, driver) in world.drivers.iter().enumerate() {
            if *driver == Driver::Idle {
                events.push(Event::Tick(small(i)));
                continue;
            }
            events.push(Event::Drive(small(i)));
            if world.deaths > 0 && self.drivers_die {
                events.push(Event::DriverDies(small(i)));
            }
        }
        if world.sweeps > 0 && !self.makes(Mistake::NoSweep) {
            events.push(Event::Sweep);
        }
        if self.gives_up && world.given_up == 0 {
            events.push(Event::GiveUp);
        }
        if self.vacuums {
            events.extend((0..world.files.len()).map(|j| Event::Vacuum(small(j))));
        }
    }

    /// The world after an event; `None` when it can't happen.
    pub(crate) fn after(&self, before: &World, event: &Event) -> Option<World> {
        let mut world = before.clone();
        match *event {
            Event::Insert => world.source += 1,
            Event::Take(i, j) => self.take(&mut world, i, usize::from(j)),
            Event::Step(i) => self.step(&mut world, usize::from(i))?,
            Event::Die(i) => {
                world.deaths -= 1;
                for message in world.messages.iter_mut().filter(|it| it.owner == Some(i)) {
                    message.owner = None;
                }
                world.executors[usize::from(i)] = Executor::default();
            }
            Event::LoseLease(j) => {
                world.lost_leases -= 1;
                world.messages[usize::from(j)].owner = None;
            }
            Event::Tick(i) => {
                let last = world.last_run;
                let free = last == 0 || world.is_closed(last) || world.given_up == last;
                (last < self.runs && free).then_some(())?;
                world.drivers[usize::from(i)] = Driver::Takes(last);
            }
            Event::Drive(i) => self.drive(&mut world, usize::from(i))?,
            Event::DriverDies(i) => {
                world.deaths -= 1;
                world.drivers[usize::from(i)] = Driver::Idle;
            }
            Event::Sweep => sweep(&mut world)?,
            Event::GiveUp => {
                let last = world.last_run;
                (last > 0 && last < self.runs && !world.is_closed(last)).then_some(())?;
                world.given_up = last;
            }
            Event::Vacuum(j) => {
                let file = world.files[usize::from(j)];
                let version = &world.tables[usize::from(file.table)];
                let safe = self.makes(Mistake::VacuumByAge) || file.run <= version.run;
                (safe && !version.files.contains(&file)).then_some(())?;
                world.files.remove(usize::from(j));
            }
        }
        Some(world)
    }

    fn take(&self, world: &mut World, i: u8, j: usize) {
        if world.messages[j].deliveries >= self.deliveries {
            world.messages.remove(j);
            return;
        }
        let message = &mut world.messages[j];
        message.deliveries += 1;
        message.owner = Some(i);
        world.executors[usize::from(i)] = Executor {
            next: Next::LookForReceipt,
            run: message.run,
            task: message.task,
            ..Executor::default()
        };
        if self.makes(Mistake::DeletedFirst) {
            world.messages.remove(j);
        }
    }

    fn drive(&self, world: &mut World, i: usize) -> Option<()> {
        world.drivers[i] = match world.drivers[i] {
            Driver::Idle => return None,
            Driver::Takes(seen) if seen == world.last_run => {
                world.last_run += 1;
                Driver::Sends(world.last_run)
            }
            Driver::Takes(_) if self.makes(Mistake::BlindPlan) && world.last_run < self.runs => {
                world.last_run += 1;
                world.slot_taken_twice = true;
                Driver::Sends(world.last_run)
            }
            Driver::Takes(_) => Driver::Idle,
            Driver::Sends(run) => {
                world.send(run, 0);
                world.send(run, 1);
                Driver::Idle
            }
        };
        Some(())
    }

    fn step(&self, world: &mut World, i: usize) -> Option<()> {
        let mut it = world.executors[i];
        let table = usize::from(it.task);
        let bronze = it.task != SILVER;
        it.next = match it.next {
            Next::Nothing => return None,
            Next::LookForReceipt if world.has_receipt(it.run, it.task) => Next::LookForOthers,
            Next::LookForReceipt => Next::ReadTable,
            Next::ReadTable => {
                let version = &world.tables[table];
                it.base = version.number;
                it.from = version.read_to;
                if self.makes(Mistake::CheckpointFirst) && bronze {
                    it.from = world.apart[table];
                }
                if version.run >= it.run && !self.makes(Mistake::NoFence) {
                    Next::WriteReceipt
                } else {
                    Next::Read
                }
            }
            Next::Read => self.read(world, &mut it)?,
            Next::WriteCheckpoint => {
                world.apart[table] = it.to;
                Next::Upload
            }
            Next::Upload => {
                let file = it.file();
                if self.makes(Mistake::SharedNames) {
                    world
                        .files
                        .retain(|there| (there.table, there.run) != (file.table, file.run));
                }
                world.files.push(file);
                Next::Commit
            }
            Next::Commit => self.commit(world, &it),
            Next::WriteReceipt => {
                if !world.has_receipt(it.run, it.task) {
                    let read_to = if bronze {
                        world.tables[table].read_to
                    } else {
                        0
                    };
                    world.receipts.push((it.run, it.task, read_to));
                }
                Next::LookForOthers
            }
            Next::LookForOthers => {
                if self.makes(Mistake::ClosedByLastTask) && it.task == 1 || !bronze {
                    close(world, it.run);
                }
                if bronze && world.inputs(it.run).is_some() {
                    Next::Send
                } else {
                    Next::DeleteMessage
                }
            }
            Next::Send => {
                if !world.has_receipt(it.run, SILVER) {
                    world.send(it.run, SILVER);
                }
                Next::DeleteMessage
            }
            Next::DeleteMessage => {
                let own = |message: &Message| {
                    message.owner == Some(small(i))
                        && (message.run, message.task) == (it.run, it.task)
                };
                if let Some(place) = world.messages.iter().position(own) {
                    world.messages.remove(place);
                }
                Next::Nothing
            }
        };
        world.executors[i] = it.with_what_it_needs();
        Some(())
    }

    fn read(&self, world: &mut World, it: &mut Executor) -> Option<Next> {
        let table = usize::from(it.task);
        if it.task == SILVER {
            it.inputs = if self.makes(Mistake::NewestInputs) {
                [world.tables[0].read_to, world.tables[1].read_to]
            } else {
                world.inputs(it.run)?
            };
            [it.from, it.to] = it.inputs;
        } else {
            it.to = world.source;
        }
        world.attempts[table] += 1;
        it.attempt = if self.makes(Mistake::SharedNames) {
            0
        } else {
            world.attempts[table]
        };
        let apart = self.makes(Mistake::CheckpointFirst) && it.task != SILVER;
        Some(if apart {
            Next::WriteCheckpoint
        } else {
            Next::Upload
        })
    }

    fn commit(&self, world: &mut World, it: &Executor) -> Next {
        let blind = self.makes(Mistake::BlindCommit);
        let version = &mut world.tables[usize::from(it.task)];
        let first = version.number == it.base || blind;
        let newest = version.run < it.run || self.makes(Mistake::NoFence) || blind;
        if !(first && newest) {
            return Next::ReadTable;
        }
        version.number += 1;
        version.run = version.run.max(it.run);
        if it.task == SILVER {
            let [a, b] = version.inputs;
            world.silver_went_back |= it.inputs[0] < a || it.inputs[1] < b;
            version.inputs = it.inputs;
            version.files = vec![it.file()];
        } else {
            version.files.push(it.file());
            version.read_to = if self.makes(Mistake::CheckpointFirst) {
                version.read_to.max(it.to)
            } else {
                it.to
            };
        }
        Next::WriteReceipt
    }
}

fn close(world: &mut World, run: u8) {
    if !world.is_closed(run) {
        world.closed.push(run);
    }
}

/// Sends again what the last run may have lost.
fn sweep(world: &mut World) -> Option<()> {
    let run = world.last_run;
    (run > 0 && !world.is_closed(run)).then_some(())?;
    let ready = world.inputs(run).is_some();
    let mut sent = false;
    for task in 0..3 {
        let needed = if task == SILVER {
            ready
        } else {
            !world.has_receipt(run, task)
        };
        let there = world
            .messages
            .iter()
            .any(|it| it.run == run && it.task == task);
        if needed && !there {
            world.send(run, task);
            sent = true;
        }
    }
    sent.then_some(())?;
    world.sweeps -= 1;
    Some(())
}

impl Executor {
    fn file(&self) -> File {
        File {
            table: self.task,
            run: self.run,
            attempt: self.attempt,
            from: self.from,
            to: self.to,
        }
    }

    /// Forgets what no later step looks at, so that the same is the same.
    fn with_what_it_needs(self) -> Self {
        match self.next {
            Next::Nothing => Self::default(),
            Next::Read | Next::WriteCheckpoint | Next::Upload | Next::Commit => self,
            _ => Self {
                next: self.next,
                run: self.run,
                task: self.task,
                ..Self::default()
            },
        }
    }
}

impl World {
    /// Puts what has no order into one. Executors can't be told apart but by what they do and which messages they have.
    pub(crate) fn in_order(&mut self) {
        let owned = |world: &Self, i: usize| {
            let own = world
                .messages
                .iter()
                .filter(|it| it.owner == Some(small(i)));
            let mut own: Vec<Message> = own.map(|it| Message { owner: None, ..*it }).collect();
            own.sort();
            own
        };
        let mut order: Vec<usize> = (0..self.executors.len()).collect();
        order.sort_by_key(|i| (self.executors[*i], owned(self, *i)));
        let place = |i: u8| order.iter().position(|it| *it == usize::from(i)).map(small);
        for message in &mut self.messages {
            message.owner = message.owner.and_then(place);
        }
        self.executors = order.iter().map(|i| self.executors[*i]).collect();
        self.drivers.sort();
        self.messages.sort();
        self.files.sort();
        self.receipts.sort();
        self.closed.sort();
    }
}
