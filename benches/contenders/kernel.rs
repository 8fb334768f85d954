//! tgsignd's kernel behind its ticker.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tgsignd::config::{Account, FileContent, Fingerprint, Snapshot, Sources, Task, load};
use tgsignd::daemon::ticker::Ticker;
use tgsignd::kernel::status::{Build, Status};
use tgsignd::kernel::{Effect, Event, Kernel, Seeds};
use tgsignd::names::AccountName;
use tgsignd::schedule::{Parser, Seed, Timing};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Begin, Scene, entry};

/// One task of one account; the others are like it but for their names and their schedules.
const PATTERN: &str = "version = 1\n[accounts.a]\n[tasks.t]\nschedule = '06:00'\ntimezone = 'UTC'\nchat = 1\n\
                       proof = 'delivered'\nsteps = [{ send = 'x' }]\n";

/// Tasks with an account each, at most a thousand accounts.
fn snapshot(scene: Scene, tasks: usize, start: DateTime<Utc>) -> Snapshot {
    let files = [("tgsignd.toml".to_owned(), FileContent::Bytes(PATTERN.into()))].into();
    let pattern = load(&Sources { files, environment: BTreeMap::new() }).unwrap().snapshot;
    let (account, task) = (pattern.accounts.values().next().unwrap(), pattern.tasks.values().next().unwrap());
    let mut parser = Parser::default();
    // As the loader does it, tasks of the same accounts share their list.
    let name = |number: usize| format!("a{number}").parse::<AccountName>().unwrap();
    let lists: Vec<Arc<[AccountName]>> = (0..tasks.min(1_000)).map(|number| Arc::from([name(number)])).collect();
    let accounts = lists.iter().flat_map(|list| list.iter()).map(|name| {
        let account = Account { name: name.clone(), ..Account::clone(account) };
        (name.clone(), Arc::new(account))
    });
    let accounts = accounts.collect();
    let tasks = (0..tasks).map(|number| {
        let schedule = parser.parse(&[entry(scene, number, start)]).unwrap();
        let task = Task {
            name: format!("t{number}").parse().unwrap(),
            accounts: Arc::clone(&lists[number % lists.len()]),
            timing: Timing { schedule, ..task.timing.clone() },
            fingerprint: fingerprint(number),
            ..Task::clone(task)
        };
        (task.name.clone(), Arc::new(task))
    });
    Snapshot { tasks: tasks.collect(), accounts, ..pattern }
}

/// Another one for each task.
fn fingerprint(number: usize) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Fingerprint::from(bytes)
}

/// A run is over as soon as it has begun.
pub(super) fn start(
    scene: Scene,
    tasks: usize,
    start: DateTime<Utc>,
    begins: mpsc::UnboundedSender<Begin>,
) -> JoinHandle<()> {
    let build = Build { version: String::new(), revision: None, rustc: None };
    let seeds = Seeds { seed: Seed([7; 32]), positions: Vec::new(), open: Vec::new(), starts: Vec::new() };
    let mut kernel = Kernel::new(seeds, Status::new(build, start));
    let snapshot = Arc::new(snapshot(scene, tasks, start));
    kernel.handle(start, Event::Loaded { snapshot, active_since: BTreeMap::new() });
    let (wake, mut wakes) = mpsc::channel(4);
    let ticker = Ticker::start(wake);
    tokio::spawn(async move {
        loop {
            // As the daemon's own loop does it.
            let is_behind = kernel.deadline().is_some_and(|deadline| deadline <= Utc::now());
            if !is_behind {
                ticker.arm(kernel.deadline());
                if wakes.recv().await.is_none() {
                    return;
                }
            }
            let mut events = vec![Event::Tick];
            while let Some(event) = events.pop() {
                for effect in kernel.handle(Utc::now(), event) {
                    if let Effect::Run(order) = effect {
                        let _ = begins.send((order.fire_at, Utc::now()));
                        events.push(Event::Dropped { key: order.key });
                    }
                }
            }
        }
    })
}
