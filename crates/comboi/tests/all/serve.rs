//! The Functions handler, under a stand-in for the Functions host, on a real Azurite.
//!
//! The stand-in notes whatever would go wrong under the real host, and each test that drains its queues holds that nothing did: an answer
//! that is no JSON object or has keys of its own, none within a second to `GET /`, an exit code of 0. What a host may do to a handler, and
//! where it is shown:
//!
//! | what happens | shown by |
//! |---|---|
//! | the timer fires: one message for the first stage, in base64 | `contract::the_timer_asks_for_the_first_stage` |
//! | the stages follow each other | `runs::the_timer_runs_all_stages` |
//! | a message fails once | `contract::a_message_that_fails_once_is_done_at_the_second_time` |
//! | a message always fails | `contract::a_message_that_always_fails_is_poison_after_five_times`, `killed::a_message_that_always_fails` |
//! | messages that are no base64, no JSON, no task | `bad::plain_text_stays_among_the_poison_and_is_told`, `bad::messages_that_nobody_can_do` |
//! | fields that hide the metadata, 48 KiB | `bad::hostile_fields_do_no_harm`, `contract::the_longest_message_is_done` |
//! | a message comes twice, or again with another id | `runs::messages_that_come_twice`, `runs::many_messages_in_disorder`, `runs::thousands_of_messages_in_disorder` (by hand) |
//! | a stage takes longer than the lease | `killed::a_stage_that_takes_longer_than_the_lease` |
//! | the handler is killed at any write, and about any message | `killed::handlers_that_are_killed_after_every_write_*`, `killed::handlers_that_are_killed_about_every_message` |
//! | a first load takes longer than a function may; the handler is killed at any of its commits | `loads::*` |
//! | the same, while somebody writes into the PostgreSQL that is read | `live::handlers_that_are_killed_while_somebody_writes` |
//! | the host is killed | `killed::a_host_that_dies` |
//! | any request of a run fails once | `hitches::*` |
//! | two hosts, and two handlers of one folder | `runs::two_hosts_share_the_work` |
//! | `GET /` while a stage runs; a handler without configuration or lake | every test; `contract::a_package_without_a_configuration`, `bad::a_lake_that_is_not_there`, `bad::it_listens_at_once_and_ends_when_asked` |
//! | no port, a configuration with mistakes | `bad::a_port_that_is_none_ends_the_program`, `bad::a_configuration_with_mistakes` |
//! | run by hand in the portal; every kind of timer | `contract::a_function_that_is_run_by_hand`, `runs::a_time_has_one_run_however_often_the_timer_tells_it` |
//! | every answer is one that the host takes | every test, and `/scripts/check-package` |
//! | a package that is laid out wrongly | `contract::packages_that_the_host_does_not_take`, `doctor::what_is_wrong_is_named_with_a_remedy` |
//! | secrets of every kind, in logs, answers, files and the lake | `secrets::*` |
//! | the zip file | `/scripts/check-package` |
//!
//! The bodies that the stand-in sends are held to a real host's, byte for byte, where they are made (`comboi-test`, `functions_host/body.rs`).

mod alerts;
mod bad;
mod contract;
mod deployments;
mod doctor;
mod hitches;
mod killed;
mod live;
mod loads;
mod runs;
mod secrets;

use std::path::Path;

use comboi_test::{Azurite, FunctionsHost, Settings};

use crate::azure::Cloud;
use crate::world::World;

/// A deployed app: a project, the host's files, the program; containers and queues of its own.
pub(crate) struct App {
    pub(crate) cloud: Cloud,
    pub(crate) tasks: String,
    /// Where the handler finds its queues.
    pub(crate) queues: String,
}

impl App {
    pub(crate) fn small() -> Self {
        let cloud = Cloud::small();
        let app = Self {
            tasks: cloud.azurite.queue("tasks"),
            queues: Azurite::queue_endpoint(),
            cloud,
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for function in ["driver", "executor", "poison"] {
            let text =
                std::fs::read(root.join(format!("functions/{function}/function.json"))).unwrap();
            app.world()
                .write(&format!("{function}/function.json"), text);
        }
        app.world()
            .write("host.json", std::fs::read(root.join("host.json")).unwrap());
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_comboi"), app.world().path("comboi"))
            .unwrap();
        app
    }

    pub(crate) fn world(&self) -> &World {
        &self.cloud.world
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in [
            (
                "COMBOI_QUEUE_CONNECTION",
                Azurite::connection_string().replace(&Azurite::queue_endpoint(), &self.queues),
            ),
            ("COMBOI_QUEUE_NAME", self.tasks.clone()),
            ("COMBOI_TIMER_SCHEDULE", "0 0 * * * *".to_owned()),
        ] {
            settings.environment.insert(name.to_owned(), value);
        }
        settings
    }

    pub(crate) fn host(&self) -> FunctionsHost {
        FunctionsHost::start(self.world().path("").as_path(), self.settings())
    }

    pub(crate) fn poison(&self) -> String {
        format!("{}-poison", self.tasks)
    }

    /// Waits until nothing is left to do; nothing may have gone wrong.
    pub(crate) fn drain(&self, host: &FunctionsHost) {
        host.drain(&[&self.tasks, &self.poison()]);
        assert_eq!(
            host.violations(),
            Vec::<String>::new(),
            "{}",
            host.lines().join("\n")
        );
        assert!(
            !host
                .lines()
                .iter()
                .any(|line| line.contains("Eby8vdM02xNOcqFl")),
            "a log shows the key"
        );
    }

    /// Puts a message into the queue, in base64.
    pub(crate) fn send(&self, text: &str) {
        self.put(&base64(text));
    }

    /// Puts a message into the queue as it is.
    pub(crate) fn put(&self, stored: &str) {
        let url = format!("{}/{}/messages", Azurite::queue_endpoint(), self.tasks);
        let body = format!("<QueueMessage><MessageText>{stored}</MessageText></QueueMessage>");
        let put = self.cloud.azurite.ask("POST", &url, body);
        assert_eq!(put.status, 201, "{}", put.body);
    }

    /// The messages of a queue that nobody takes.
    pub(crate) fn waiting(&self, queue: &str) -> String {
        let url = format!(
            "{}/{queue}/messages?peekonly=true&numofmessages=32",
            Azurite::queue_endpoint()
        );
        self.cloud.azurite.ask("GET", &url, String::new()).body
    }

    /// A command with the settings of the app.
    pub(crate) fn command(&self, words: &[&str]) -> crate::world::Said {
        let mut command = self.world().command(words);
        command.envs(self.settings().environment);
        crate::world::said(command.output().unwrap())
    }

    pub(crate) fn runs(&self) -> Vec<serde_json::Value> {
        let said = self.world().json(&["runs"]);
        said.as_array().unwrap().clone()
    }
}

pub(crate) fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bytes = [
            chunk[0],
            *chunk.get(1).unwrap_or(&0),
            *chunk.get(2).unwrap_or(&0),
        ];
        let number = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(char::from(
                    LETTERS[(number >> (18 - 6 * place) & 63) as usize],
                ));
            } else {
                out.push('=');
            }
        }
    }
    out
}
