//! The timer has fired: go on with what has not ended, else begin a run.

use chrono::{DateTime, TimeDelta, Utc};
use comboi_plan::Plan;
use comboi_project::Stage;
use comboi_run::{OpenRun, Runner};
use serde_json::Value;
use tracing::{info, warn};

use super::Said;
use super::app::{App, Loaded};
use super::executor::go_on;
use super::message::{TaskMessage, name_of};

/// A run that somebody was at work on so long ago has lost its message.
const QUIET: TimeDelta = TimeDelta::minutes(12);
/// A run that has not ended after so long is given up.
const MOST: TimeDelta = TimeDelta::hours(24);

pub(super) async fn drive(app: &App, body: &Value) -> Said {
    let config = app.default_config();
    let loaded = app.load(&config)?;
    let working = app.runner(&loaded, None)?;
    let runner = &working.runner;
    let now = runner.clock.now();
    let mut said = Vec::new();
    let mut busy = false;
    for open in runner.open_runs().await? {
        let run = open.run;
        if now - open.begun_at > MOST {
            give_up(runner, &open).await?;
            said.push(format!(
                "run {run} has not ended within a day and was given up"
            ));
            continue;
        }
        busy = true;
        let last = open.touched.unwrap_or(open.begun_at);
        if now - last < QUIET {
            said.push(format!("run {run} is under way, so no other is begun"));
            continue;
        }
        warn!(
            run = run.0,
            "run {run} has lost its message and is asked to go on"
        );
        said.push(format!("run {run} is asked to go on, so no other is begun"));
        go_on(&loaded, runner, &config, run, &open.left).await?;
    }
    if !busy {
        said.push(begin(&loaded, runner, &config, &slot(body, now)).await?);
    }
    Ok(said)
}

async fn begin(
    loaded: &Loaded,
    runner: &Runner,
    config: &std::path::Path,
    slot: &str,
) -> anyhow::Result<String> {
    let plan = Plan::of_everything(&loaded.project);
    let stages: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| plan.tasks.iter().any(|task| task.dataset.stage() == *stage))
        .collect();
    if stages.is_empty() {
        return Ok("the project has no datasets, so there is nothing to run".to_owned());
    }
    let run = runner.begin(slot, plan).await?;
    let mut open = runner.open_runs().await?.into_iter();
    let Some(open) = open.find(|open| open.run == run) else {
        return Ok(format!("run {run} was begun for this time and has ended"));
    };
    go_on(loaded, runner, config, run, &open.left).await?;
    info!(run = run.0, slot, "run {run} begins by the timer");
    Ok(format!("run {run} begins"))
}

async fn give_up(runner: &Runner, open: &OpenRun) -> anyhow::Result<()> {
    for stage in &open.left {
        let why = "the run had not ended within a day, so it was given up; what it committed stays, and the next run does the rest";
        runner.give_up(open.run, *stage, why).await?;
    }
    runner.end(open.run).await?;
    Ok(())
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

/// The first message of what is left of a run.
pub(super) fn message(config: &std::path::Path, left: &[Stage]) -> Option<TaskMessage> {
    let (stage, remaining) = left.split_first()?;
    Some(TaskMessage {
        config_path: Some(config.display().to_string()),
        stage: *stage,
        remaining: remaining.to_vec(),
        run: None,
        task: None,
        stuck: 0,
        poisoned: 0,
    })
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
