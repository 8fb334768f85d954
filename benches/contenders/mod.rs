//! Three ways to run many tasks, and what is measured of them.

mod heap;
mod kernel;
pub(crate) mod reload;
mod stock;

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use crate::support::Process;

/// Time that is watched; the idle scene watches CPU time, the others when runs begin.
const WATCHED: Duration = Duration::from_secs(10);

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $type { $($variant),+ }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
        impl FromStr for $type {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(text.to_owned()) }
            }
        }
    };
}
words!(Contender { Ours = "tgsignd", Heap = "heap", Stock = "stock" });
impl Contender {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Heap, Self::Stock];
}

// Idle: once a day. Spread: once a minute each, spread over the seconds of the minute. Burst: all at one second.
words!(Scene { Idle = "idle", Spread = "spread", Burst = "burst" });

/// The task's six fields, chosen so that what is watched happens soon after `start`.
fn entry(scene: Scene, task: usize, start: DateTime<Utc>) -> String {
    match scene {
        Scene::Idle => {
            // Half a day away from now.
            let at = start + TimeDelta::hours(12) + TimeDelta::seconds(i64::try_from(task % 7_200).unwrap());
            at.format("%-S %-M %-H * * *").to_string()
        }
        Scene::Spread => format!("{} * * * * *", task % 60),
        Scene::Burst => (start + burst_after()).format("%-S %-M %-H * * *").to_string(),
    }
}

/// Room for loading before the burst.
fn burst_after() -> TimeDelta {
    TimeDelta::seconds(15)
}

/// A run that began: when it was to begin, and when it did.
type Begin = (DateTime<Utc>, DateTime<Utc>);

#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) load_ms: f64,
    /// Megabytes (1,000,000 bytes) that loading added.
    pub(crate) rss_mb: f64,
    /// Percent of one core.
    pub(crate) cpu: f64,
    begun: f64,
    expected: f64,
    p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Measured {
    pub(crate) const HEADER: &str =
        "  scene   tasks           load ms   RSS MB    CPU %   begun/expected   p50 ms   p99 ms";

    /// Runs that never began.
    pub(crate) fn lost(&self) -> f64 {
        self.expected - self.begun
    }

    fn numbers(&self) -> [f64; 7] {
        [self.load_ms, self.rss_mb, self.cpu, self.begun, self.expected, self.p50_ms, self.p99_ms]
    }

    pub(crate) fn to_line(&self) -> String {
        self.numbers().map(|number| number.to_string()).join(" ")
    }

    pub(crate) fn from_line(text: &str) -> Option<Self> {
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [load_ms, rss_mb, cpu, begun, expected, p50_ms, p99_ms] = numbers[..] else { return None };
        Some(Self { load_ms, rss_mb, cpu, begun, expected, p50_ms, p99_ms })
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [load, rss, cpu, begun, expected, p50, p99] = self.numbers();
        write!(f, "{load:>9.1} {rss:>8.1} {cpu:>8.3} {begun:>8.0}/{expected:<8.0} {p50:>8.1} {p99:>8.1}")
    }
}

/// Runs one scene in this process.
pub(crate) fn measure(contender: Contender, scene: Scene, tasks: usize) -> Measured {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (begins, mut begun) = mpsc::unbounded_channel();
        let process = Process::this();
        let (start, before, clock) = (Utc::now(), process.memory().resident, Instant::now());
        let guard: Box<dyn std::any::Any> = match contender {
            Contender::Ours => Box::new(kernel::start(scene, tasks, start, begins)),
            Contender::Heap => Box::new(heap::start(scene, tasks, start, begins)),
            Contender::Stock => Box::new(stock::start(scene, tasks, start, begins).await),
        };
        let load = clock.elapsed();
        let rss_mb = process.memory().resident - before;
        let (from, until) = watched(scene, start);
        tokio::time::sleep((from - Utc::now()).to_std().unwrap_or_default()).await;
        let (cpu, clock) = (process.cpu(), Instant::now());
        tokio::time::sleep((until - Utc::now()).to_std().unwrap_or_default()).await;
        let cpu = process.cpu().saturating_sub(cpu).as_secs_f64() / clock.elapsed().as_secs_f64() * 100.0;
        drop(guard);
        let mut late: Vec<f64> = Vec::new();
        while let Ok((planned, at)) = begun.try_recv() {
            if scene == Scene::Burst || (planned >= from && planned < until - TimeDelta::seconds(2)) {
                late.push(
                    f64::from(i32::try_from((at - planned).num_microseconds().unwrap()).unwrap_or(i32::MAX)) / 1e3,
                );
            }
        }
        late.sort_by(f64::total_cmp);
        let share = |share: usize| late.get((late.len() * share / 100).min(late.len().saturating_sub(1))).copied();
        Measured {
            load_ms: load.as_secs_f64() * 1e3,
            rss_mb,
            cpu,
            begun: number(late.len() as u64),
            expected: number(expected(scene, tasks, from, until)),
            p50_ms: share(50).unwrap_or_default(),
            p99_ms: share(99).unwrap_or_default(),
        }
    })
}

/// The whole seconds that are watched.
fn watched(scene: Scene, start: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let second = DateTime::from_timestamp(Utc::now().timestamp() + 2, 0).unwrap();
    let from = if scene == Scene::Burst { second.max(start + burst_after() - TimeDelta::seconds(2)) } else { second };
    let more = if scene == Scene::Idle { 2 } else { 1 };
    (from, from + WATCHED * more)
}

fn expected(scene: Scene, tasks: usize, from: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
    match scene {
        Scene::Idle => 0,
        Scene::Burst => tasks as u64,
        Scene::Spread => {
            let seconds = from.timestamp()..(until - TimeDelta::seconds(2)).timestamp();
            let at = |second: i64| (0..tasks).filter(|task| i64::try_from(task % 60).unwrap() == second % 60).count();
            seconds.map(|second| at(second) as u64).sum()
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn number(integer: u64) -> f64 {
    integer as f64
}
