//! tokio-cron-scheduler as it comes, but for channels that are large enough for the burst.

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

use super::{Begin, Scene, entry};

pub(super) async fn start(
    scene: Scene,
    tasks: usize,
    start: DateTime<Utc>,
    begins: mpsc::UnboundedSender<Begin>,
) -> JobScheduler {
    let scheduler = JobScheduler::new_with_channel_size(4 * tasks.max(64)).await.unwrap();
    for task in 0..tasks {
        let begins = begins.clone();
        let job = Job::new_async(entry(scene, task, start), move |_, _| {
            let begins = begins.clone();
            Box::pin(async move {
                // It does not say for which instant it runs: the last whole second is the kindest guess.
                let now = Utc::now();
                let _ = begins.send((DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now), now));
            })
        });
        scheduler.add(job.unwrap()).await.unwrap();
    }
    scheduler.start().await.unwrap();
    scheduler
}
