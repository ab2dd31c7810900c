//! The timer has fired: go on with what has not ended, else begin a run.

use chrono::{DateTime, TimeDelta, Utc};
use comboi_azure::{Seen, TaskQueue};
use comboi_plan::Plan;
use serde_json::Value;
use tracing::{info, warn};

use super::Said;
use super::app::App;
use super::message::name_of;

pub(super) async fn drive(app: &App, body: &Value) -> Said {
    let config = app.default_config();
    let loaded = app.load(&config)?;
    let working = app.runner(&loaded, None)?;
    let runner = &working.runner;
    let slot = slot(body, runner.clock.now());
    let plan = Plan::of_everything(&loaded.project);
    let config = config.display().to_string();
    let answer = runner.on_timer(&slot, &config, plan).await?;
    let mut said = loaded.send(answer).await?;
    said.extend(look_at_queue(&loaded.queue, runner.clock.now()).await);
    Ok(said)
}

/// Logs what is in the queue, for alerts: whether anybody takes messages, and whether some lie where nobody is asked to do them. What keeps us
/// from looking is no reason for a timer to fail.
async fn look_at_queue(queue: &TaskQueue, now: DateTime<Utc>) -> Option<String> {
    let Seen {
        waiting,
        oldest,
        poison,
    } = match queue.seen().await {
        Ok(seen) => seen,
        Err(e) => {
            let told = format!(
                "nobody could look into the queue for messages that wait or can't be done: {e}"
            );
            warn!(event = "queue_unseen", "{told}");
            return Some(told);
        }
    };
    let age = |sent| (now - DateTime::<Utc>::from(sent)).num_seconds().max(0);
    let oldest_seconds = oldest.map_or(0, age);
    let name = queue.name();
    info!(
        event = "queue_seen",
        waiting,
        oldest_seconds,
        poison,
        "`{name}` has {waiting} messages; {poison} are in `{name}-poison`"
    );
    let told = (poison > 0).then(|| poison_told(&format!("{name}-poison"), poison))?;
    warn!(event = "poison_left", poison, "{told}");
    Some(told)
}

/// What is to be said of messages that stay among the poison.
pub(crate) fn poison_told(name: &str, count: i64) -> String {
    format!(
        "messages are in `{name}` ({count}); what stays there is not base64, and the Functions host asks nobody to do it: look with `az storage message peek --num-messages 32 --queue-name {name}`, send it again in base64 or with `comboi trigger`, and delete it there"
    )
}

/// A name of the time that the timer fired for: the same if it fires twice for it.
fn slot(body: &Value, now: DateTime<Utc>) -> String {
    let timer = body
        .get("Data")
        .and_then(|data| data.as_object()?.values().next());
    let next = timer.and_then(|timer| timer.get("ScheduleStatus")?.get("Next")?.as_str());
    let next = next.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    // A timer that is fired by hand tells the time that it would have fired at by itself, later.
    let due = next.filter(|next| next.to_utc() <= now + TimeDelta::seconds(60));
    match due {
        Some(due) => format!("timer-{}", due.to_utc().format("%Y%m%dT%H%M%SZ")),
        None => {
            let at = body
                .get("Metadata")
                .and_then(|it| it.get("sys")?.get("UtcNow")?.as_str());
            let at = at.map(str::to_owned).unwrap_or_else(|| now.to_rfc3339());
            format!("timer-{}", name_of(&at.replace([':', '.', '+'], "-")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: &str) {
        let now = "2026-11-20T21:00:01Z".parse().unwrap();
        assert_eq!(slot(&serde_json::from_str(body).unwrap(), now), expected);
    }

    #[test]
    fn a_time_has_one_name_however_it_is_told() {
        let sys =
            r#""Metadata":{"sys":{"MethodName":"driver","UtcNow":"2026-11-20T21:00:01.46239Z"}}"#;
        let normal =
            r#""ScheduleStatus":{"Last":"0001-01-01T00:00:00","Next":"2026-11-20T21:00:00+00:00"}"#;
        check(
            &format!(r#"{{"Data":{{"t":{{{normal},"IsPastDue":false}}}},{sys}}}"#),
            "timer-20261120T210000Z",
        );
        check(
            &format!(r#"{{"Data":{{"t":{{{normal},"IsPastDue":true}}}}}}"#),
            "timer-20261120T210000Z",
        );
        // By hand: the next time is still to come.
        let by_hand = r#""ScheduleStatus":{"Next":"2026-11-20T22:00:00+00:00"}"#;
        check(
            &format!(r#"{{"Data":{{"t":{{{by_hand}}}}},{sys}}}"#),
            "timer-2026-11-20T21-00-01-46239Z",
        );
        check(
            &format!(r#"{{"Data":{{"t":{{"ScheduleStatus":null}}}},{sys}}}"#),
            "timer-2026-11-20T21-00-01-46239Z",
        );
        check("{}", "timer-2026-11-20T21-00-01-00-00");
    }
}
