//! tokio-cron-scheduler with a store and code of ours.
//!
//! Its own stores freeze a zone's offset when a job is added, lose activations in bursts, and compute with cron rules that
//! differ from ours; adding and removing jobs goes through listeners that can die. So it gets one job that is due whenever the
//! deadline has passed, and is never asked to add or remove one.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::RwLock;
use tokio_cron_scheduler::job::job_data::{JobAndNextTick, JobStoredData, JobType};
use tokio_cron_scheduler::store::{DataStore, InitStore};
use tokio_cron_scheduler::{
    Context, JobCode, JobScheduler, JobSchedulerError, JobToRunAsync, MetaDataStorage, PinnedGetFuture,
    SimpleNotificationCode, SimpleNotificationStore, ToCode,
};
use uuid::Uuid;

use super::Shared;

/// Activations that may wait; there is at most one a tick.
const CHANNEL: usize = 64;
/// The name of the one job.
const JOB: Uuid = Uuid::nil();

/// Starts the scheduler; `None`, with an error in the log, when it does not start.
pub(super) async fn start(shared: Arc<Shared>) -> Option<JobScheduler> {
    match try_start(shared).await {
        Ok(scheduler) => Some(scheduler),
        Err(error) => {
            tracing::error!(%error, "tokio-cron-scheduler did not start");
            None
        }
    }
}

async fn try_start(shared: Arc<Shared>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new_with_storage_and_code(
        Box::new(Store(Arc::downgrade(&shared))),
        Box::new(SimpleNotificationStore::default()),
        Box::new(Code::new(Arc::downgrade(&shared))),
        Box::new(SimpleNotificationCode::default()),
        CHANNEL,
    )
    .await?;
    scheduler.start().await?;
    Ok(scheduler)
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

fn answer<T: Send + 'static>(value: T) -> Answer<T> {
    Box::pin(ready(Ok(value)))
}

/// The one job, due when the deadline has passed. Every listing is a tick.
///
/// Here and below the reference is weak: the scheduler's listeners live as long as the runtime, whatever happens to it.
struct Store(Weak<Shared>);

impl MetaDataStorage for Store {
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        let due = self.0.upgrade().is_some_and(|shared| {
            shared.scheduler_ticks.fetch_add(1, Ordering::Relaxed);
            shared.tick()
        });
        // Any instant in the past runs now, except 0, which deletes the job.
        let job =
            JobAndNextTick { id: Some(JOB.into()), job_type: JobType::Cron as i32, next_tick: 1, last_tick: None };
        answer(if due { vec![job] } else { Vec::new() })
    }

    fn set_next_and_last_tick(&mut self, _: Uuid, _: Option<DateTime<Utc>>, _: Option<DateTime<Utc>>) -> Answer<()> {
        answer(())
    }

    fn time_till_next_job(&mut self) -> Answer<Option<Duration>> {
        answer(None)
    }
}

impl DataStore<JobStoredData> for Store {
    fn get(&mut self, id: Uuid) -> Answer<Option<JobStoredData>> {
        // Asked for after every run, for the next one; the answer is not used but has to exist.
        answer(Some(JobStoredData {
            id: Some(id.into()),
            last_updated: None,
            last_tick: None,
            next_tick: 1,
            job_type: JobType::Cron as i32,
            count: 0,
            extra: Vec::new(),
            ran: false,
            stopped: false,
            job: None,
            time_offset_seconds: 0,
        }))
    }

    fn add_or_update(&mut self, _: JobStoredData) -> Answer<()> {
        answer(())
    }

    fn delete(&mut self, _: Uuid) -> Answer<()> {
        answer(())
    }
}

impl InitStore for Store {
    fn init(&mut self) -> Answer<()> {
        answer(())
    }

    fn inited(&mut self) -> Answer<bool> {
        answer(true)
    }
}

/// What the job does: it announces the deadline.
struct Code(Arc<RwLock<Box<JobToRunAsync>>>);

impl Code {
    fn new(shared: Weak<Shared>) -> Self {
        Self(Arc::new(RwLock::new(Box::new(move |_, _| {
            if let Some(shared) = shared.upgrade() {
                shared.announce();
            }
            Box::pin(ready(()))
        }))))
    }
}

impl ToCode<Box<JobToRunAsync>> for Code {
    fn init(&mut self, _: &Context) -> Answer<()> {
        answer(())
    }

    fn get(&mut self, _: Uuid) -> PinnedGetFuture<Box<JobToRunAsync>> {
        answer(Some(Arc::clone(&self.0)))
    }
}

impl JobCode for Code {}
