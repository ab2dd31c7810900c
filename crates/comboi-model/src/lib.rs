//! A model of how comboi commits, for a model checker: two tables of bronze and one dataset of silver that is made of both, done by
//! executors that take messages from a queue, die at any step, and live on after their message was given to another one.
//!
//! One step of the model is one call to the storage or to the queue. What is left out: chunks of a first load, the poison queue, the
//! time limit, and a stage's tasks in one message (which is the same as one message each, in one order). A [`Mistake`] takes
//! one safeguard away; the tests see to it that each of them is found out.

mod step;

use stateright::{Model, Property};

/// A safeguard that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The checkpoint is written before the rows, and apart from them.
    CheckpointFirst,
    /// A commit does not look whether somebody was first.
    BlindCommit,
    /// A commit does not look whether a later run has committed.
    NoFence,
    /// Two attempts of one task write files of one name.
    SharedNames,
    /// Files that no version names are deleted, whoever may be about to commit them.
    VacuumByAge,
    /// A message is deleted before its work is done.
    DeletedFirst,
    /// Nobody looks for runs whose messages are lost.
    NoSweep,
    /// A run is closed by its last task, whatever the others do.
    ClosedByLastTask,
    /// The plan of a run is written whether it is there or not, so two timers may begin the same run.
    BlindPlan,
    /// Silver reads the newest versions, not those of its run's receipts.
    NewestInputs,
}

/// A file of rows: of bronze, from one place of the source to another; of silver, what it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct File {
    pub(crate) table: u8,
    pub(crate) run: u8,
    pub(crate) attempt: u8,
    pub(crate) from: u8,
    pub(crate) to: u8,
}

/// The current version of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    pub(crate) number: u8,
    /// The last run that committed.
    pub(crate) run: u8,
    /// The checkpoint.
    pub(crate) read_to: u8,
    pub(crate) files: Vec<File>,
    /// What silver was made of.
    pub(crate) inputs: [u8; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Message {
    pub(crate) run: u8,
    pub(crate) task: u8,
    pub(crate) deliveries: u8,
    /// Who has it; `None` when it can be taken.
    pub(crate) owner: Option<u8>,
}

/// What an executor does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Next {
    #[default]
    Nothing,
    LookForReceipt,
    ReadTable,
    Read,
    WriteCheckpoint,
    Upload,
    Commit,
    WriteReceipt,
    LookForOthers,
    Send,
    DeleteMessage,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Executor {
    pub(crate) next: Next,
    pub(crate) run: u8,
    pub(crate) task: u8,
    /// The version that it read.
    pub(crate) base: u8,
    pub(crate) from: u8,
    pub(crate) to: u8,
    pub(crate) inputs: [u8; 2],
    pub(crate) attempt: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Driver {
    #[default]
    Idle,
    /// It has read the last number and will write the plan of the one after it, if nobody has.
    Takes(u8),
    /// It has taken this run and will send its messages.
    Sends(u8),
}

/// All there is: source, lake, state of runs, queue, processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub(crate) source: u8,
    pub(crate) tables: [Version; 3],
    /// Checkpoints that are kept apart, for the mistake of doing so.
    pub(crate) apart: [u8; 2],
    pub(crate) files: Vec<File>,
    /// Run, task, and how far the table had been read.
    pub(crate) receipts: Vec<(u8, u8, u8)>,
    pub(crate) closed: Vec<u8>,
    pub(crate) last_run: u8,
    pub(crate) given_up: u8,
    pub(crate) messages: Vec<Message>,
    pub(crate) executors: Vec<Executor>,
    pub(crate) drivers: Vec<Driver>,
    pub(crate) attempts: [u8; 3],
    /// How many more deaths, lost leases and sweeps there will be.
    pub(crate) deaths: u8,
    pub(crate) lost_leases: u8,
    pub(crate) sweeps: u8,
    pub(crate) silver_went_back: bool,
    pub(crate) slot_taken_twice: bool,
}

/// What can happen next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The source gets a row.
    Insert,
    /// An executor takes a message.
    Take(u8, u8),
    /// An executor makes its next call.
    Step(u8),
    /// An executor dies.
    Die(u8),
    /// A message can be taken although its executor lives.
    LoseLease(u8),
    /// The timer fires.
    Tick(u8),
    /// A driver makes its next call.
    Drive(u8),
    /// A driver dies.
    DriverDies(u8),
    /// Somebody sends what a run has lost.
    Sweep,
    /// A run is given up.
    GiveUp,
    /// A file that no version names is deleted.
    Vacuum(u8),
}

/// How much of everything there is.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Executors.
    pub executors: usize,
    /// Timers.
    pub drivers: usize,
    /// Runs.
    pub runs: u8,
    /// Rows that the source gets.
    pub rows: u8,
    /// Deaths.
    pub deaths: u8,
    /// Messages that are given to another executor while the first one lives.
    pub lost_leases: u8,
    /// Sweeps.
    pub sweeps: u8,
    /// How often a message is delivered before it is given up.
    pub deliveries: u8,
    /// Whether runs are given up.
    pub gives_up: bool,
    /// Whether files are vacuumed.
    pub vacuums: bool,
    /// Whether drivers die.
    pub drivers_die: bool,
    /// The safeguard that is missing.
    pub mistake: Option<Mistake>,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            executors: 2,
            drivers: 1,
            runs: 2,
            rows: 2,
            deaths: 1,
            lost_leases: 1,
            sweeps: 2,
            deliveries: 3,
            gives_up: true,
            vacuums: true,
            drivers_die: false,
            mistake: None,
        }
    }
}

impl World {
    pub(crate) fn has_receipt(&self, run: u8, task: u8) -> bool {
        self.receipt(run, task).is_some()
    }

    pub(crate) fn receipt(&self, run: u8, task: u8) -> Option<u8> {
        let mut found = self
            .receipts
            .iter()
            .filter(|it| it.0 == run && it.1 == task);
        found.next().map(|it| it.2)
    }

    /// What silver reads in a run, once both tables have their receipts.
    pub(crate) fn inputs(&self, run: u8) -> Option<[u8; 2]> {
        Some([self.receipt(run, 0)?, self.receipt(run, 1)?])
    }

    pub(crate) fn is_closed(&self, run: u8) -> bool {
        self.closed.contains(&run)
    }

    pub(crate) fn send(&mut self, run: u8, task: u8) {
        let there = self
            .messages
            .iter()
            .filter(|it| it.run == run && it.task == task);
        if there.count() < 2 {
            self.messages.push(Message {
                run,
                task,
                deliveries: 0,
                owner: None,
            });
        }
    }

    fn is_quiet(&self) -> bool {
        let idle = self.executors.iter().all(|it| it.next == Next::Nothing);
        idle && self.messages.is_empty() && self.drivers.iter().all(|it| *it == Driver::Idle)
    }

    /// The intervals of a table, each where the one before it ends, up to the checkpoint.
    fn is_contiguous(&self, table: usize) -> bool {
        let version = &self.tables[table];
        let mut files = version.files.clone();
        files.sort_by_key(|file| (file.from, file.to));
        let end = files
            .iter()
            .try_fold(0, |end, file| (file.from == end).then_some(file.to));
        end == Some(version.read_to)
    }
}

impl Protocol {
    /// Whether nothing can happen any more.
    fn is_over(&self, world: &World) -> bool {
        let mut events = Vec::new();
        self.actions(world, &mut events);
        events
            .into_iter()
            .all(|event| self.next_state(world, event).is_none())
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            source: 1,
            tables: Default::default(),
            apart: [0; 2],
            files: Vec::new(),
            receipts: Vec::new(),
            closed: Vec::new(),
            last_run: 0,
            given_up: 0,
            messages: Vec::new(),
            executors: vec![Executor::default(); self.executors],
            drivers: vec![Driver::Idle; self.drivers],
            attempts: [0; 3],
            deaths: self.deaths,
            lost_leases: self.lost_leases,
            sweeps: self.sweeps,
            silver_went_back: false,
            slot_taken_twice: false,
        }]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        self.events(world, events);
    }

    fn next_state(&self, world: &World, event: Event) -> Option<World> {
        let mut next = self.after(world, &event)?;
        next.in_order();
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no row is lost, none is doubled", |_, world: &World| {
                (0..2).all(|table| world.is_contiguous(table))
            }),
            Property::always("every file of a version is there", |_, world: &World| {
                let named = world.tables.iter().flat_map(|version| &version.files);
                named.into_iter().all(|file| world.files.contains(file))
            }),
            Property::always("silver does not go back", |_, world: &World| {
                !world.silver_went_back
            }),
            Property::always("a slot has one run", |_, world: &World| {
                !world.slot_taken_twice
            }),
            Property::always("a receipt means a commit", |_, world: &World| {
                let mut receipts = world.receipts.iter();
                receipts.all(|(run, task, _)| world.tables[usize::from(*task)].run >= *run)
            }),
            Property::always("a closed run has all receipts", |_, world: &World| {
                let mut closed = world.closed.iter();
                closed.all(|run| (0..3).all(|task| world.has_receipt(*run, task)))
            }),
            Property::always(
                "silver is of the versions of its run",
                |_, world: &World| {
                    let silver = &world.tables[2];
                    silver.run == 0 || world.inputs(silver.run) == Some(silver.inputs)
                },
            ),
            Property::always(
                "what is quiet has ended",
                |protocol: &Self, world: &World| {
                    // As many sweeps as there were deaths are enough; when they are used up, nothing is promised.
                    let swept_out = world.sweeps == 0
                        && world.deaths < protocol.deaths
                        && protocol.drivers_die
                        && protocol.mistake != Some(Mistake::NoSweep);
                    !world.is_quiet()
                        || world.last_run == 0
                        || swept_out
                        || !protocol.is_over(world)
                        || world.is_closed(world.last_run)
                },
            ),
            Property::sometimes(
                "all runs end, whatever has happened",
                |protocol: &Self, world: &World| {
                    world.is_closed(protocol.runs) && world.deaths == 0 && world.lost_leases == 0
                },
            ),
        ]
    }
}
