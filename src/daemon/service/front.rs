//! The health and metrics listener: there before anything else, so that whoever watches sees what a start waits for.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::StartError;
use crate::config::Http;
use crate::daemon::systemd;
use crate::http;
use crate::kernel::status::{BackupStatus, Status};

/// A start that waits says that it lives as often as the loop does later.
const PULSE: Duration = Duration::from_secs(15);

/// The listener and what it shows.
pub(super) struct Front {
    pub(super) publisher: watch::Sender<Arc<Status>>,
    /// Where it listens.
    pub(super) address: String,
    close: oneshot::Sender<()>,
    servers: JoinSet<()>,
}

impl Front {
    /// Begins to listen.
    pub(super) async fn open(settings: &Http, status: Status) -> Result<Self, StartError> {
        let listener = http::bind(&settings.listen).await?;
        let address = listener.address();
        let (publisher, observer) = watch::channel(Arc::new(status));
        let (close, closes) = oneshot::channel::<()>();
        let mut servers = JoinSet::new();
        servers.spawn(http::serve(listener, observer, settings.guard.clone(), async move {
            let _ = closes.await;
        }));
        Ok(Self { publisher, address, close, servers })
    }

    /// Shows how the backup stands.
    pub(super) fn tell(&self, backup: BackupStatus) {
        self.publisher.send_modify(|status| Arc::make_mut(status).backup = Some(backup));
    }

    /// Carries out work that may take long, and shows meanwhile that the process lives.
    pub(super) async fn while_alive<T>(&self, work: impl Future<Output = T>) -> T {
        let mut pulse = tokio::time::interval(systemd::pulse(PULSE));
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = pulse.tick() => {
                    self.publisher.send_modify(|status| Arc::make_mut(status).heartbeat = Utc::now());
                    systemd::watchdog();
                    // Two beats may be lost before systemd loses patience.
                    systemd::extend_start(PULSE * 3);
                }
            }
        }
    }

    /// Ends the listener.
    pub(super) async fn close(self) {
        let _ = self.close.send(());
        self.servers.join_all().await;
    }
}
