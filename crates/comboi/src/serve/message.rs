//! What the host sends: an envelope, and the text of a message in it.
//!
//! The host wraps a message's text in JSON twice, and adds the message's own fields to its metadata, where they may hide the real ones. So
//! a task is taken from `Data` alone; of the metadata only what can do no harm is believed.

use comboi_run::TaskMessage;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::wiring;

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    /// A name of the message: the same for each delivery of it.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
}

impl Envelope {
    /// The message in what the host has sent; `None` if there is none.
    pub(super) fn of(body: &Value) -> Option<Self> {
        let data = body.get("Data")?.as_object()?.values().next()?;
        let text = match data {
            Value::String(wrapped) => match serde_json::from_str(wrapped) {
                Ok(Value::String(text)) => text,
                _ => wrapped.clone(),
            },
            other => other.to_string(),
        };
        let id = body.get("Metadata").and_then(|metadata| metadata.get("Id"));
        let id = id.and_then(Value::as_str).map(unquoted);
        Some(Self {
            // Who runs the function by hand sends no message that could come again.
            name: id.map_or_else(wiring::unique, |id| name_of(&id)),
            text,
        })
    }

    /// The task that the text asks for. The error says what is wrong, without a word of the text.
    pub(super) fn task(&self) -> Result<TaskMessage, String> {
        TaskMessage::parse(&self.text)
    }
}

/// The host writes texts of the metadata with quotes inside of the quotes.
fn unquoted(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

/// An id that can be a part of a key: itself if it is plain, else its digest.
pub(super) fn name_of(id: &str) -> String {
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if plain && (1..=64).contains(&id.len()) {
        return id.to_owned();
    }
    let digest = Sha256::digest(id.as_bytes());
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use comboi_project::Stage;

    use super::*;

    /// As a real host sent it, with the fields of the message among the metadata.
    const SENT: &str = r#"{"Data":{"msg":"\"{\\\"config_path\\\":\\\"configs/initial.yml\\\",\\\"stage\\\":\\\"bronze\\\",\\\"remaining\\\":[\\\"silver\\\",\\\"gold\\\"]}\""},"Metadata":{"DequeueCount":"1","Id":"\"52d53c5f-e212-487e-998b-abbe3b9d51e4\"","config_path":"\"configs/initial.yml\"","stage":"\"bronze\""}}"#;

    fn of(body: &str) -> Envelope {
        Envelope::of(&serde_json::from_str(body).unwrap()).unwrap()
    }

    #[test]
    fn a_message_is_unwrapped() {
        let envelope = of(SENT);
        assert_eq!(envelope.name, "52d53c5f-e212-487e-998b-abbe3b9d51e4");
        let task = envelope.task().unwrap();
        assert_eq!(task.config_path.as_deref(), Some("configs/initial.yml"));
        assert_eq!(task.stages(), Stage::ALL);
        assert_eq!(task.run, None);
    }

    #[test]
    fn what_is_no_task_is_told_and_not_quoted() {
        for (text, expected) in [
            ("secret", "the message is no JSON;"),
            (r#"\"secret\""#, "the message is no JSON object;"),
            ("[1]", "the message is no JSON object;"),
            (r#"{\"stage\":\"secret\"}"#, "the message's `stage` is not"),
            (r#"{\"secret\":1}"#, "the message has no `stage`;"),
            (
                r#"{\"stage\":\"gold\",\"remaining\":[\"secret\"]}"#,
                "one of the message's `remaining`",
            ),
            (
                r#"{\"stage\":\"gold\",\"remaining\":[\"bronze\"]}"#,
                "the message's `remaining` has a stage that comes before",
            ),
            (
                r#"{\"stage\":\"gold\",\"run\":\"secret\"}"#,
                "a field of the message has a value of another kind",
            ),
        ] {
            let body = serde_json::json!({"Data": {"msg": format!("\"{text}\"")}});
            let told = of(&body.to_string()).task().unwrap_err();
            assert!(told.starts_with(expected), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }

    /// The next message names what is left after it, so an order that is mixed up would leave a stage out.
    #[test]
    fn stages_are_put_in_order() {
        let body = r#"{"stage":"bronze","remaining":["gold","bronze","silver","gold"]}"#;
        let task = TaskMessage::parse(body).unwrap();
        assert_eq!(task.remaining, [Stage::Silver, Stage::Gold]);
    }

    #[test]
    fn fields_that_hide_the_metadata_do_no_harm() {
        let envelope = of(
            r#"{"Data":{"msg":"\"{\\\"stage\\\":\\\"gold\\\",\\\"id\\\":\\\"../../x\\\"}\""},"Metadata":{"Id":"\"../../x\"","DequeueCount":"\"many\"","sys":"\"\""}}"#,
        );
        assert_eq!(envelope.task().unwrap().stage, Stage::Gold);
        assert!(
            envelope.name.chars().all(|c| c.is_ascii_hexdigit()),
            "{}",
            envelope.name
        );
    }
}
