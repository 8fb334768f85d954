//! tgsignd's kernel behind its ticker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tgsignd::config::{
    Account, ChatRef, Connect, Guard, History, Http, Listen, Log, LogFormat, Retry, RetryFrom, Snapshot, Task, Telegram,
};
use tgsignd::daemon::ticker::Ticker;
use tgsignd::kernel::status::{Build, Status};
use tgsignd::kernel::{Effect, Event, Kernel, Seeds};
use tgsignd::schedule::{MissedPolicy, Parser, Seed, Timing};
use tgsignd::script::{OutcomeRules, Proof, Script};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Begin, Scene, entry};

/// Tasks with an account each, at most a thousand accounts.
fn snapshot(scene: Scene, tasks: usize, start: DateTime<Utc>) -> Snapshot {
    let mut parser = Parser::default();
    let script = Arc::new(Script { steps: Vec::new(), rules: OutcomeRules::default(), proof: Proof::Delivered });
    let account = |number: usize| format!("a{}", number % 1_000).parse().unwrap();
    let accounts = (0..tasks.min(1_000)).map(|number| {
        let account = Account {
            name: account(number),
            phone: None,
            proxy: None,
            quiet: None,
            at_most: None,
            post_gap: Duration::ZERO,
        };
        (account.name.clone(), Arc::new(account))
    });
    let accounts = accounts.collect();
    let task = |number: usize| Task {
        name: format!("t{number}").parse().unwrap(),
        enabled: true,
        accounts: vec![account(number)],
        timing: Timing {
            zone: chrono_tz::UTC,
            schedule: parser.parse(&[entry(scene, number, start)]).unwrap(),
            jitter: Duration::ZERO,
            stagger: Duration::ZERO,
            window_end: None,
            missed: MissedPolicy::RunOnce { within: Duration::from_hours(1) },
            deadline: None,
        },
        once_per_day: false,
        timeout: Duration::from_mins(3),
        retry: Retry { attempts: 1, delay: Duration::ZERO, from: RetryFrom::Start },
        chat: ChatRef::Id(1),
        topic: None,
        post_gap: Duration::ZERO,
        delete_after: None,
        script: Arc::clone(&script),
        fingerprint: number.to_string(),
        schedule_fingerprint: String::new(),
    };
    let tasks = (0..tasks).map(task).map(|task| (task.name.clone(), Arc::new(task))).collect();
    Snapshot {
        digest: String::new(),
        telegram: Telegram { api: None, proxy: None, connect: Connect::OnDemand, test_data_centres: Vec::new() },
        http: Http { listen: Listen::Tcp(([127, 0, 0, 1], 0).into()), guard: Guard::Proxy },
        log: Log { format: LogFormat::Auto, level: String::new() },
        history: History { runs: Duration::ZERO, transcripts: Duration::ZERO },
        ai: None,
        backup: None,
        accounts,
        tasks,
    }
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
            ticker.arm(kernel.deadline());
            if wakes.recv().await.is_none() {
                return;
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
