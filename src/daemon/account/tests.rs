//! An actor and a data centre, with nothing between them but the network.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::sync::Arc;

use telegram_sim::{DataCentre, Fault, World};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc, watch};

use super::*;
use crate::ai::Budget;
use crate::config::TestDataCentre;
use crate::config::secret::Secret;
use crate::daemon::datadir::Datadir;
use crate::telegram::network::Network;

/// An account that is always connected and looks whether it is every few milliseconds.
struct Idle {
    centre: DataCentre,
    events: mpsc::UnboundedReceiver<Event>,
    _account: AccountHandle,
    _actors: JoinSet<()>,
    _stop: watch::Sender<bool>,
    _folder: TempDir,
}

impl Idle {
    async fn new() -> Self {
        let world =
            "[accounts.alice]\nuser_id = 1001\nfirst_name = 'Alice'\nphone = '+15550001001'\nsigned_in = true\n";
        let centre = DataCentre::start(World::from_toml(world).unwrap()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let datadir = Datadir::open(&folder.path().join("d")).await.unwrap();
        let key_seed = Some(Secret::new(centre.key_seed().to_owned()));
        let data_centres = DataCentres::Simulated(vec![TestDataCentre { id: 2, address: centre.address(), key_seed }]);
        let (told, events) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let shared = Shared {
            datadir: datadir.path.clone(),
            ledger: datadir.ledger.clone(),
            instance: datadir.instance.clone(),
            events: told,
            stop: stopped,
            uncertain_until: None,
            ownership: None,
            model_calls: Arc::new(Budget::new(0)),
            network: Network::start().unwrap(),
            look_every: Duration::from_millis(20),
            places: Arc::new(Semaphore::new(PLACES)),
        };
        let session = SessionFile::path(&shared.sessions(), "alice");
        SessionFile::create(session, "alice", &data_centres).sign_in(1001).unwrap();
        let settings = Settings { api_id: 1, proxy: None, use_ipv6: false };
        let reach = Reach { settings, data_centres, connect: Connect::Always, ai: None, post_gap: Duration::ZERO };
        let mut actors = JoinSet::new();
        let (account, _) = AccountHandle::start("alice".parse().unwrap(), reach, Arc::new(shared), &mut actors);
        let mut idle = Self { centre, events, _account: account, _actors: actors, _stop: stop, _folder: folder };
        idle.tells(|status| status.connected).await;
        idle
    }

    async fn tells(&mut self, what: impl Fn(&AccountStatus) -> bool) -> AccountStatus {
        loop {
            match self.events.recv().await.unwrap() {
                Event::Account { status, .. } if what(&status) => return status,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn an_idle_account_whose_session_was_ended_is_told_before_its_next_run() {
    let mut idle = Idle::new().await;
    idle.centre.revoke_session("alice");
    let status = idle.tells(|status| status.authorized == Some(false)).await;
    assert!(status.error.unwrap().contains("SESSION_REVOKED"));
}

#[tokio::test]
async fn an_idle_connection_that_leads_nowhere_is_replaced() {
    let mut idle = Idle::new().await;
    idle.centre.inject("updates.getState", Fault::Freeze);
    idle.tells(|status| !status.connected).await;
    idle.tells(|status| status.connected).await;
}
