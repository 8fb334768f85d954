//! What was pushed, to the daemon's loop, and its answers back.

use tokio::sync::oneshot;
use tracing::info;

use super::actor::Actor;
use super::handle::{Delivered, Report};
use crate::backup::sync::{Delivery, Letter, Verdict};
use crate::kernel::status::BackupRole;

impl Actor {
    pub(super) async fn read_inbox(&mut self) {
        if self.status.role != BackupRole::Holder {
            return;
        }
        let letters = match self.engine.inbox_poll().await {
            Ok(letters) => letters,
            Err(error) => {
                self.failed(&error).await;
                return;
            }
        };
        for mut letter in letters {
            let verdict = self.deliver(&mut letter).await;
            match &verdict {
                Verdict::Applied(message) => info!(from = %letter.writer, "applied what was pushed: {message}"),
                Verdict::Refused(reason) => {
                    let reason = format!("what {} pushed was refused: {reason}", letter.writer);
                    let _ = self.reports.send(Report::Alarm { kind: "push_refused", reason }).await;
                }
            }
            if let Err(error) = self.engine.answer(&letter, verdict).await {
                self.failed(&error).await;
            }
        }
    }

    async fn deliver(&self, letter: &mut Letter) -> Verdict {
        let taken = std::mem::replace(&mut letter.delivery, Delivery::Unusable(String::new()));
        let content = match taken {
            Delivery::Workdir(files) => Delivered::Workdir(files),
            Delivery::Session { account, file } => Delivered::Session { account, file },
            Delivery::Unusable(why) => return Verdict::Refused(why),
        };
        let (answer, answered) = oneshot::channel();
        if self.reports.send(Report::Delivered { content, answer }).await.is_err() {
            return Verdict::Refused("the daemon is stopping; push it again".to_owned());
        }
        match answered.await {
            Ok(Ok(message)) => Verdict::Applied(message),
            Ok(Err(reason)) => Verdict::Refused(reason),
            Err(_) => Verdict::Refused("the daemon is stopping; push it again".to_owned()),
        }
    }
}
