#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use serde_json::Value;
use tracing::{debug, error, info, info_span, warn};

use super::*;
use crate::config::secret::Secret;

/// What was written.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 123_000_000).unwrap()
}

fn written(shape: Shape, level: &str, work: impl FnOnce(&LogControl)) -> String {
    let paper = Paper::default();
    let writer = paper.clone();
    let (filter, handle) = reload::Layer::new(filter(level).unwrap());
    let lines = Lines::new(shape, noon, move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    tracing::subscriber::with_default(subscriber, || work(&LogControl { filter: handle }));
    String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
}

fn a_run() -> tracing::Span {
    info_span!("run", run_id = %"0123456789ab", task = "签到", account = "alice", outcome = tracing::field::Empty)
}

#[test]
fn every_json_line_of_a_run_carries_the_run_at_the_top() {
    let text = written(Shape::Json, "info", |_| {
        let run = a_run();
        let _run = run.enter();
        info!(attempt = 2, "begins");
        let _step = info_span!("step", step = 3, account = "inner").entered();
        run.record("outcome", "failed");
        warn!(level = "mine", ok = false, "ends\nhere");
    });
    assert!(text.starts_with(r#"{"timestamp":"2026-09-21T14:13:20.123Z","level":"INFO","target":""#), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [begins, ends] = &lines[..] else { panic!("two lines in {text}") };
    let expected = serde_json::json!({
        "timestamp": "2026-09-21T14:13:20.123Z", "level": "INFO", "target": "tgsignd::daemon::logging::tests",
        "message": "begins", "run_id": "0123456789ab", "task": "签到", "account": "alice", "attempt": 2,
    });
    assert_eq!(begins, &expected);
    for (name, value) in [("outcome", "failed"), ("account", "inner"), ("_level", "mine"), ("level", "WARN")] {
        assert_eq!(ends[name], value, "{text}");
    }
    assert_eq!((&ends["step"], &ends["ok"], &ends["message"]), (&3.into(), &false.into(), &"ends\nhere".into()));
}

#[test]
fn the_journal_gets_a_priority_and_no_time() {
    let text = written(Shape::Journal, "trace", |_| {
        let _run = a_run().entered();
        error!(reason = "no button", "failed");
        debug!("more");
    });
    let place = "tgsignd::daemon::logging::tests";
    let run = "run_id=0123456789ab task=签到 account=alice";
    assert_eq!(text, format!("<3>{place}: failed {run} reason=\"no button\"\n<7>{place}: more {run}\n"));
}

#[test]
fn a_bots_text_cannot_forge_a_line_or_reach_the_terminal() {
    for shape in [Shape::Journal, Shape::Pretty { color: false }, Shape::Pretty { color: true }, Shape::Json] {
        let text = written(shape, "info", |_| info!(text = "a\n<0>forged\x1b[2J", "b\r\n<0>forged\x1b[2J"));
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.contains("\x1b[2J") && !text.contains('\r'), "{text:?}");
    }
}

#[test]
fn people_see_time_and_level_and_color_only_when_wanted() {
    let plain = written(Shape::Pretty { color: false }, "info", |_| info!("hello"));
    assert_eq!(plain, "2026-09-21T14:13:20.123Z  INFO tgsignd::daemon::logging::tests: hello\n");
    let colored = written(Shape::Pretty { color: true }, "info", |_| info!("hello"));
    assert!(colored.contains("\x1b[32m INFO\x1b[0m"), "{colored:?}");
}

#[test]
fn libraries_are_quiet_unless_asked() {
    let noise = |_: &LogControl| {
        info!(target: "grammers_mtsender::sender", "noise");
        info!(target: "hyper::proto", "noise");
        warn!(target: "grammers_mtsender::sender", "trouble");
    };
    let text = written(Shape::Journal, "debug", noise);
    assert_eq!(text, "<4>grammers_mtsender::sender: trouble\n");
    let asked = written(Shape::Journal, "info,grammers_mtsender=debug", noise);
    assert_eq!(asked.matches("noise").count(), 1, "{asked}");
}

#[test]
fn the_level_follows_the_configuration_and_a_bad_one_changes_nothing() {
    let text = written(Shape::Journal, "info", |control| {
        debug!("one");
        control.set_level("debug").unwrap();
        debug!("two");
        let error = control.set_level("info,tgsignd=loud").unwrap_err().to_string();
        assert!(error.contains("[log] level \"info,tgsignd=loud\""), "{error}");
        debug!("three");
        control.set_level("warn").unwrap();
        info!("four");
    });
    let told: Vec<&str> = text.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(told, ["two", "three"]);
}

#[test]
fn a_secret_stays_one() {
    let text = written(Shape::Json, "trace", |_| info!(password = ?Secret::new("hunter2"), "login"));
    assert!(text.contains("\"password\":\"***\"") && !text.contains("hunter2"), "{text}");
}

#[test]
fn the_shape_follows_the_surroundings() {
    let around = |terminal, journal, no_color| Surroundings { terminal, journal, no_color };
    let plain = Shape::Pretty { color: false };
    for (format, surroundings, expected) in [
        (LogFormat::Auto, around(true, false, false), Shape::Pretty { color: true }),
        (LogFormat::Auto, around(true, false, true), plain),
        (LogFormat::Auto, around(true, true, true), plain),
        (LogFormat::Auto, around(false, true, false), Shape::Journal),
        (LogFormat::Auto, around(false, false, false), Shape::Json),
        (LogFormat::Pretty, around(false, true, false), plain),
        (LogFormat::Json, around(true, true, false), Shape::Json),
    ] {
        assert_eq!(choose(format, &surroundings), expected);
    }
}
