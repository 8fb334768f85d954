//! The loop, when what it stands on breaks away.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use super::boot::{Boot, boot};
use super::start::assemble;
use super::turn::Stopped;
use super::*;
use crate::daemon::backup::{FirstBoot, Orders};
use crate::daemon::workdir::Reread;
use crate::ledger::{Durability, Engine, Ledger, LedgerError, LedgerHandle};
use crate::telegram::network::Network;

struct Panics;

impl Engine for Panics {
    fn group(&mut self, _: Durability, _: &mut dyn FnMut(&mut dyn Ledger)) -> Result<(), LedgerError> {
        panic!("the test asked for this")
    }
}

/// As `run` has them, for a folder.
fn options(folder: &Path) -> Options {
    let (workdir, datadir) = (folder.join("w"), folder.join("d"));
    std::fs::create_dir(&workdir).unwrap();
    std::fs::write(workdir.join("tgsignd.toml"), "version = 1\n[http]\nlisten = '127.0.0.1:0'\n").unwrap();
    let mut reader = Reader::default();
    let first = reader.read(&workdir, BTreeMap::new(), &Reread::Everything);
    let backup = Orders { first_boot: FirstBoot(false), resolve: None };
    let (watcher, environment) = (Watcher::default(), BTreeMap::new());
    let network = Network::here();
    Options { workdir, datadir, watcher, reader, first, strict: false, network, environment, backup }
}

#[tokio::test]
async fn without_a_ledger_the_process_ends_so_that_it_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    let Ok(Boot::Ready(booted)) = boot(&mut options, &mut None).await else { panic!("it does not boot") };
    let booted = *booted;
    let (datadir, snapshot) = (booted.datadir, &booted.accepted.snapshot);
    let (mut service, control) = assemble(options, None, datadir, snapshot, &booted.front, None, None).await.unwrap();
    service.begin(booted.accepted, None).await.unwrap();
    service.datadir.ledger = LedgerHandle::start(Panics, Path::new("state.db")).unwrap();

    let [mut terminate, mut interrupt, mut hangup] =
        [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(|kind| signal(kind).unwrap());
    let stopped = service.turn_until_stopped(&mut terminate, &mut interrupt, &mut hangup).await;
    assert!(matches!(stopped, Stopped::LedgerLost));
    assert!(service.drain(&stopped, &mut terminate, &mut interrupt).await, "nobody has to tell it to end");
    assert!(matches!(service.datadir.ledger.close().await, Err(LedgerError::Stopped { .. })));
    control.abort();
}
