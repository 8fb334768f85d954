//! `tgsignd run`, and what it does.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tgsignd::daemon::control::{Client, Reply, Request};
use tgsignd::kernel::status::Status;
use tokio::process::Child;

use super::command::Invocation;
use super::http::{Answer, ask};
use super::log::{Line, Log};
use super::{LOOK_AGAIN, within_limit};

/// A running daemon; killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) log: Log,
    datadir: PathBuf,
    /// Where its pages are, once it is ready.
    pub(crate) address: String,
}

impl Daemon {
    /// Starts it without waiting.
    pub(crate) fn spawn(mut invocation: Invocation, datadir: PathBuf) -> Self {
        let command = invocation.command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::read(child.stderr.take().unwrap());
        Self { child, log, datadir, address: String::new() }
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(mut self) -> Self {
        let ready = self.says("ready").await;
        ready.field("metrics").clone_into(&mut self.address);
        self
    }

    /// The first line of its log whose message begins so, waited for.
    pub(crate) async fn says(&self, message: &str) -> Line {
        self.line(|line| line.message().starts_with(message)).await
    }

    /// The first line of its log that fits, waited for.
    pub(crate) async fn line(&self, fits: impl Fn(&Line) -> bool) -> Line {
        self.log.wait_for(1, fits).await.remove(0)
    }

    /// The line about the end of the first run of a task.
    pub(crate) async fn run_ended(&self, task: &str) -> Line {
        self.runs_ended(task, 1).await.remove(0)
    }

    /// The lines about the ends of the first `count` attempts of a task.
    pub(crate) async fn runs_ended(&self, task: &str, count: usize) -> Vec<Line> {
        self.log.wait_for(count, |line| line.message() == "run ended" && line.field("task") == task).await
    }

    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.log.text().contains(text)
    }

    /// The status, asked for until it is as wanted.
    pub(crate) async fn status_when(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let mut last = None;
        let asked = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
                last = Some(status);
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let Ok(status) = tokio::time::timeout(super::LIMIT, asked).await else {
            panic!("the status never became as wanted: {last:#?}\n{}", self.log.text());
        };
        status
    }

    /// The status now; `/metrics` shows it from then on.
    pub(crate) async fn status(&self) -> Status {
        let mut client = Client::call(&self.datadir, &Request::Status).await.unwrap().expect("the daemon listens");
        match within_limit(client.next(), || "the status".to_owned()).await.unwrap() {
            Some(Reply::Status(status)) => *status,
            other => panic!("{other:?} is no status"),
        }
    }

    /// A page.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        ask(&self.address, &format!("GET {path}"), &[]).await
    }

    pub(crate) async fn metrics(&self) -> Answer {
        self.get("/metrics").await
    }

    pub(crate) fn sigterm(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn sighup(&self) {
        self.signal(Signal::HUP);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    /// Its process.
    pub(crate) fn id(&self) -> Pid {
        self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())).expect("it runs")
    }

    /// Waits until the configuration with this digest is in force.
    pub(crate) async fn follows(&self, digest: &str) -> Status {
        self.status_when(|status| status.config.digest.as_deref() == Some(digest)).await
    }

    /// Ends it without giving it a chance.
    pub(crate) async fn kill9(mut self) {
        self.child.kill().await.unwrap();
        self.log.end().await;
    }

    /// Waits for its end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let log = self.log.clone();
        let status =
            within_limit(self.child.wait(), || format!("the end of the daemon:\n{}", log.text())).await.unwrap();
        self.log.end().await;
        status
    }

    /// Ends it as systemd would, and returns what it wrote.
    pub(crate) async fn stop(mut self) -> Log {
        self.sigterm();
        let status = self.exit().await;
        assert_eq!(status.code(), Some(0), "{}", self.log.text());
        assert!(self.log.lines().iter().all(Line::is_json), "{}", self.log.text());
        self.log
    }
}
