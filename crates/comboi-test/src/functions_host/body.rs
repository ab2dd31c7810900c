//! The bodies that the host sends.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::queue::Message;

/// What a timer tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// For the first time ever: the last time is the year 1, without a zone.
    First,
    /// For this time.
    At(DateTime<Utc>),
    /// For this time, which is over.
    PastDue(DateTime<Utc>),
    /// Without a memory of its times.
    NoMonitor,
    /// By hand: the next time is this one, and is to come.
    ByHand(DateTime<Utc>),
}

impl Timer {
    pub(super) fn body(self, function: &str, now: DateTime<Utc>) -> String {
        let second = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string();
        let last = |last: String, next: DateTime<Utc>| json!({"Last": last, "Next": second(next), "LastUpdated": now.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()});
        let (status, past_due) = match self {
            Self::First => (last("0001-01-01T00:00:00".into(), now), false),
            Self::At(next) | Self::ByHand(next) => (last(second(now), next), false),
            Self::PastDue(next) => (last(second(now), next), true),
            Self::NoMonitor => (Value::Null, false),
        };
        let body = json!({
            "Data": {"mytimer": {"Schedule": {"AdjustForDST": true}, "ScheduleStatus": status, "IsPastDue": past_due}},
            "Metadata": {"sys": sys(function, now)},
        });
        body.to_string()
    }
}

fn sys(function: &str, now: DateTime<Utc>) -> Value {
    json!({
        "MethodName": function,
        "UtcNow": format!("{}.{:07}Z", now.format("%Y-%m-%dT%H:%M:%S"), now.timestamp_subsec_nanos() / 100),
        "RandGuid": uuid::Uuid::new_v4().to_string(),
    })
}

/// The body for a message: its text is JSON in JSON, and if it is an object its fields hide those of the metadata.
pub(super) fn of_message(
    function: &str,
    binding: &str,
    message: &Message,
    now: DateTime<Utc>,
) -> String {
    let mut metadata = Map::new();
    metadata.insert(
        "DequeueCount".into(),
        message.dequeue_count.to_string().into(),
    );
    metadata.insert("ExpirationTime".into(), message.expires.clone().into());
    metadata.insert("Id".into(), twice(&message.id));
    metadata.insert("InsertionTime".into(), message.inserted.clone().into());
    metadata.insert(
        "NextVisibleTime".into(),
        message.next_visible.clone().into(),
    );
    metadata.insert("PopReceipt".into(), twice(&message.receipt));
    metadata.insert("sys".into(), sys(function, now));
    enveloped(binding, &message.text, metadata)
}

/// The body when somebody runs the function by hand: there is no message, so it has no id and no receipt.
pub(super) fn by_hand(function: &str, binding: &str, text: &str, now: DateTime<Utc>) -> String {
    let mut metadata = Map::new();
    metadata.insert("DequeueCount".into(), "0".into());
    metadata.insert("ExpirationTime".into(), "9999-12-31T23:59:59+00:00".into());
    metadata.insert("sys".into(), sys(function, now));
    enveloped(binding, text, metadata)
}

fn twice(text: &str) -> Value {
    Value::String(Value::String(text.to_owned()).to_string())
}

fn enveloped(binding: &str, text: &str, mut metadata: Map<String, Value>) -> String {
    if let Ok(Value::Object(fields)) = serde_json::from_str(text) {
        for (name, value) in fields {
            let merged = match value {
                Value::Null | Value::Array(_) => continue,
                Value::Object(_) => value,
                Value::String(text) => twice(&text),
                Value::Bool(true) => twice("True"),
                Value::Bool(false) => twice("False"),
                Value::Number(number) => twice(&number.to_string()),
            };
            let there = metadata
                .keys()
                .find(|it| it.eq_ignore_ascii_case(&name))
                .cloned();
            metadata.insert(there.unwrap_or(name), merged);
        }
    }
    let mut data = Map::new();
    data.insert(binding.to_owned(), twice(text));
    let mut body = Map::new();
    body.insert("Data".into(), Value::Object(data));
    body.insert("Metadata".into(), Value::Object(metadata));
    Value::Object(body).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first body is what a real host sent (version 4.1036); the second has the merged fields that its source says.
    #[test]
    fn bodies_are_the_host_s_own() {
        let message = |text: &str| Message {
            id: "52d53c5f-e212-487e-998b-abbe3b9d51e4".into(),
            receipt: "MThGZWIyMDI1MDM6MDY6MjA3NjM1".into(),
            text: text.into(),
            dequeue_count: 1,
            inserted: "2025-02-18T03:06:19+00:00".into(),
            expires: "2025-02-25T03:06:19+00:00".into(),
            next_visible: "2025-02-18T03:16:20+00:00".into(),
        };
        let now = "2025-02-18T03:06:20.7562691Z"
            .parse()
            .expect("it is a time");
        let made = |function: &str, binding: &str, text: &str| {
            let body = of_message(function, binding, &message(text), now);
            let (before, after) = body.split_once("\"RandGuid\":\"").expect("it has one");
            let (_, after) = after.split_once('"').expect("it ends");
            format!("{before}\"RandGuid\":\"e59556b5-892a-4465-a19d-4396f0978dab\"{after}")
        };
        assert_eq!(
            made("queue", "queue", "hello!!"),
            r#"{"Data":{"queue":"\"hello!!\""},"Metadata":{"DequeueCount":"1","ExpirationTime":"2025-02-25T03:06:19+00:00","Id":"\"52d53c5f-e212-487e-998b-abbe3b9d51e4\"","InsertionTime":"2025-02-18T03:06:19+00:00","NextVisibleTime":"2025-02-18T03:16:20+00:00","PopReceipt":"\"MThGZWIyMDI1MDM6MDY6MjA3NjM1\"","sys":{"MethodName":"queue","UtcNow":"2025-02-18T03:06:20.7562691Z","RandGuid":"e59556b5-892a-4465-a19d-4396f0978dab"}}}"#
        );
        let task = r#"{"config_path":"configs/initial.yml","stage":"bronze","remaining":["silver","gold"]}"#;
        assert_eq!(
            made("executor", "msg", task),
            r#"{"Data":{"msg":"\"{\\\"config_path\\\":\\\"configs/initial.yml\\\",\\\"stage\\\":\\\"bronze\\\",\\\"remaining\\\":[\\\"silver\\\",\\\"gold\\\"]}\""},"Metadata":{"DequeueCount":"1","ExpirationTime":"2025-02-25T03:06:19+00:00","Id":"\"52d53c5f-e212-487e-998b-abbe3b9d51e4\"","InsertionTime":"2025-02-18T03:06:19+00:00","NextVisibleTime":"2025-02-18T03:16:20+00:00","PopReceipt":"\"MThGZWIyMDI1MDM6MDY6MjA3NjM1\"","sys":{"MethodName":"executor","UtcNow":"2025-02-18T03:06:20.7562691Z","RandGuid":"e59556b5-892a-4465-a19d-4396f0978dab"},"config_path":"\"configs/initial.yml\"","stage":"\"bronze\""}}"#
        );
    }
}
