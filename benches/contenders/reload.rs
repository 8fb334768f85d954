//! A change of one file among many: from the bytes in memory to the kernel's new plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tgsignd::config::{Diff, Snapshot, load};
use tgsignd::daemon::workdir;
use tgsignd::kernel::status::{Build, Status};
use tgsignd::kernel::{Event, Kernel, Seeds};
use tgsignd::schedule::Seed;

fn settings() -> String {
    "version = 1\n[accounts.a]\n[defaults]\ntimezone = 'UTC'\nchat = 1\nsteps = [{ send = 'x' }]\n".to_owned()
}

fn file(task: usize, minute: usize) -> String {
    format!("[tasks.t{task}]\nschedule = '{} {} * * *'\n", minute % 60, task % 24)
}

/// Times each part, in milliseconds.
pub(crate) fn print(tasks: usize) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tgsignd.toml"), settings()).unwrap();
    for task in 0..tasks {
        std::fs::write(folder.path().join(format!("t{task}.toml")), file(task, task)).unwrap();
    }
    let seeds = Seeds { seed: Seed([7; 32]), positions: Vec::new(), open: Vec::new(), starts: Vec::new() };
    let build = Build { version: String::new(), revision: None, rustc: None };
    let mut kernel = Kernel::new(seeds, Status::new(build, Utc::now()));
    let mut before: Option<Arc<Snapshot>> = None;
    for round in 0..4 {
        std::fs::write(folder.path().join("t0.toml"), file(0, round)).unwrap();
        let clock = Instant::now();
        let sources = workdir::read(folder.path(), BTreeMap::new()).unwrap();
        let read = clock.elapsed();
        let snapshot = Arc::new(load(&sources).unwrap().snapshot);
        let loaded = clock.elapsed();
        if let Some(before) = &before {
            assert_eq!(Diff::between(before, &snapshot).tasks.changed.len(), 1);
        }
        let compared = clock.elapsed();
        kernel.handle(Utc::now(), Event::Loaded { snapshot: Arc::clone(&snapshot), active_since: BTreeMap::new() });
        let planned = clock.elapsed();
        before = Some(snapshot);
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        println!(
            " reload {tasks:>7} of one file, round {round}: read {:.1} ms, load {:.1} ms, compare {:.1} ms, plan {:.1} ms, in all {:.1} ms",
            ms(read),
            ms(loaded.checked_sub(read).unwrap()),
            ms(compared.checked_sub(loaded).unwrap()),
            ms(planned.checked_sub(compared).unwrap()),
            ms(planned),
        );
    }
}
