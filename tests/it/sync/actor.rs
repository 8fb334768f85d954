//! The backup of a running daemon, while its server is in trouble.

use std::sync::Arc;
use std::time::Duration;

use tgsignd::backup::sync::Reason;
use tgsignd::config::Sources;
use tgsignd::daemon::backup::{BackupHandle, Report};
use tgsignd::kernel::status::{BackupResult, BackupStatus};
use tgsignd::ledger::{LedgerHandle, SqliteLedger};
use tokio::sync::mpsc;
use webdav_sim::{Fault, Server};

use super::{Host, server};
use crate::kit::within_limit;

/// Far shorter than a pause after a failure.
const INTERVAL: Duration = Duration::from_millis(20);

struct Running {
    handle: BackupHandle,
    reports: mpsc::Receiver<Report>,
}

impl Running {
    /// With a first generation on the server.
    async fn on(host: &Host) -> Self {
        let file = host.datadir().join("state/state.db");
        let ledger = LedgerHandle::start(SqliteLedger::open(&file).unwrap(), &file).unwrap();
        let (engine, settings) = host.of_daemon(INTERVAL);
        let (handle, reports) = BackupHandle::start(engine, &settings, None, ledger);
        handle.configured(Arc::new(Sources::default()), Duration::from_mins(1));
        let mut running = Self { handle, reports };
        let status = running.status_when(|status| status.generation == Some(1)).await;
        assert_eq!((status.generations, status.error), (Some(1), None));
        running
    }

    async fn status_when(&mut self, wanted: impl Fn(&BackupStatus) -> bool) -> BackupStatus {
        let told = async {
            loop {
                match self.reports.recv().await {
                    Some(Report::Status(status)) if wanted(&status) => return *status,
                    Some(_) => {}
                    None => panic!("the actor has ended"),
                }
            }
        };
        within_limit(told, || "a status".to_owned()).await
    }
}

fn count(server: &Server, method: &str) -> usize {
    server.requests().iter().filter(|request| request.method == method).count()
}

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_no_success_though_nothing_changed() {
    let server = server().await;
    let host = Host::used(&server.url());
    let mut running = Running::on(&host).await;
    let well = running.status_when(|status| status.totals.attempts.contains_key(&BackupResult::Unchanged)).await;
    server.fail(Fault::Status(502, None).on("PROPFIND").times(usize::MAX));
    let failing = running.status_when(|status| status.error.is_some()).await;
    assert!(failing.last_success_at >= well.last_success_at);
    for _ in 0..5 {
        let status = running.status_when(|_| true).await;
        assert_eq!((status.last_success_at, status.error), (failing.last_success_at, failing.error.clone()));
    }
    server.heal();
    let healed = running.status_when(|status| status.error.is_none()).await;
    assert!(healed.last_success_at > failing.last_success_at);
    running.handle.finish().await;
}

#[tokio::test]
async fn a_refusal_is_not_tried_again_at_every_interval() {
    for (status, told) in [(403, "forbids"), (507, "no space left")] {
        let server = server().await;
        let host = Host::used(&server.url());
        let mut running = Running::on(&host).await;
        server.forget_requests();
        server.fail(Fault::Status(status, None).on("PUT").times(usize::MAX));
        host.sign_in("bob", 1002);
        running.handle.changed(Reason::Login);
        let failing = running.status_when(|status| status.error.is_some()).await;
        assert!(failing.error.unwrap().contains(told));
        let looks = count(&server, "PROPFIND");
        let mut requests = server.request_counts();
        requests.wait_for(|_| count(&server, "PROPFIND") > looks + 10).await.unwrap();
        let failing = running.status_when(|_| true).await;
        assert!(failing.error.unwrap().contains(told), "it is shown until it is over");
        assert_eq!(count(&server, "PUT"), 1);
        server.heal();
        // A person need not wait.
        running.handle.now().await.unwrap().unwrap();
        running.status_when(|status| status.generation == Some(2) && status.error.is_none()).await;
        running.handle.finish().await;
    }
}

#[tokio::test]
async fn a_drill_is_known_after_a_restart() {
    let server = server().await;
    let host = Host::used(&server.url());
    let running = Running::on(&host).await;
    running.handle.finish().await;
    let (mut engine, _) = host.of_daemon(INTERVAL);
    engine.drill().await.unwrap();
    assert!(host.of_daemon(INTERVAL).0.notebook().last_drill().unwrap().1);
    let archive = server.files().into_iter().find(|file| file.contains("-b-")).unwrap();
    server.damage(&archive, |bytes| bytes[0] ^= 1);
    engine.drill().await.unwrap_err();
    assert!(!host.of_daemon(INTERVAL).0.notebook().last_drill().unwrap().1);
}
