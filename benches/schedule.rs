//! What many tasks cost, side by side in one run: our kernel behind our ticker, a bare heap of croner's schedules with a
//! timer, and tokio-cron-scheduler as it comes. And what an edit of one file among many costs the whole daemon.
//!
//! `cargo bench --bench schedule` takes about eight minutes; `-- 1000 10000` measures only these numbers of tasks,
//! `-- --assert` fails when a figure is over its limit, `-- --binary PATH` reloads another build. Every measurement runs in a
//! process of its own, so that memory and CPU time are counted from nothing.
#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

mod contenders;
mod support;

use std::process::ExitCode;

use contenders::{Contender, Measured, Scene};
use support::{Arguments, Figures, again, milliseconds};

/// tokio-cron-scheduler gets no more: adding them alone takes minutes.
const MOST_FOR_STOCK: usize = 10_000;

/// Lateness that has a limit is compared as the middle of so many measurements, taken in turns.
const TURNS: usize = 3;

/// The size that load, memory, idling and lateness have limits for.
const MANY: usize = 100_000;

/// The size that the burst and the reload have limits for.
const FILES: usize = 10_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let [_, command, contender, scene, tasks] = &words[..]
        && command == "measure"
    {
        let (contender, scene) = (contender.parse().unwrap(), scene.parse().unwrap());
        println!("{}", contenders::measure(contender, scene, tasks.parse().unwrap()).to_line());
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    let mut sizes: Vec<usize> = arguments.rest.iter().map(|size| size.parse().expect("a number of tasks")).collect();
    if sizes.is_empty() {
        sizes = vec![1, 1_000, FILES, MANY];
    }
    let mut figures = Figures::default();
    println!("{}", Measured::HEADER);
    for tasks in &sizes {
        measure_size(*tasks, &mut figures);
    }
    for files in sizes.into_iter().filter(|files| (2..=FILES).contains(files)) {
        let rounds = contenders::reload::measure(files, &arguments);
        let (middle, worst) = (rounds[rounds.len() / 2], rounds[rounds.len() - 1]);
        let limit = (files == FILES).then_some(100.0);
        figures.show(format!("reload of one file among {files}, middle"), milliseconds(middle), "ms", limit);
        figures.show(format!("reload of one file among {files}, worst"), milliseconds(worst), "ms", None);
    }
    figures.exit(&arguments)
}

fn measure_size(tasks: usize, figures: &mut Figures) {
    let contenders = || Contender::ALL.into_iter().filter(|of| tasks <= MOST_FOR_STOCK || *of != Contender::Stock);
    for contender in contenders() {
        let idle = in_child(contender, Scene::Idle, tasks);
        if tasks == MANY && contender == Contender::Ours {
            figures.show(format!("{tasks} tasks: load"), idle.load_ms, "ms", Some(2_000.0));
            figures.show(format!("{tasks} tasks: resident"), idle.rss_mb, "MB", Some(100.0));
            figures.show(format!("{tasks} tasks: idle"), idle.cpu, "%", Some(0.1));
        }
    }
    let (mut ours, mut heap) = (Vec::new(), Vec::new());
    for turn in 0..if tasks == MANY { TURNS } else { 1 } {
        for contender in contenders().filter(|of| turn == 0 || *of != Contender::Stock) {
            let p99 = in_child(contender, Scene::Spread, tasks).p99_ms;
            match contender {
                Contender::Ours => ours.push(p99),
                Contender::Heap => heap.push(p99),
                Contender::Stock => {}
            }
        }
    }
    let limit = (tasks == MANY).then_some(1.2);
    let ratio = middle(ours) / middle(heap).max(f64::MIN_POSITIVE);
    figures.show(format!("{tasks} tasks: p99 of the spread beside the heap's"), ratio, "", limit);
    for contender in contenders() {
        let burst = in_child(contender, Scene::Burst, tasks);
        if tasks == FILES && contender == Contender::Ours {
            figures.show(format!("{tasks} tasks: lost of a burst"), burst.lost(), "", Some(0.0));
        }
    }
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Measures in a process of its own, and prints the line.
fn in_child(contender: Contender, scene: Scene, tasks: usize) -> Measured {
    let words = ["measure".to_owned(), contender.to_string(), scene.to_string(), tasks.to_string()];
    let text = again(words);
    let measured = Measured::from_line(&text).unwrap_or_else(|| panic!("not a measurement: {text}"));
    println!("{scene:>7} {tasks:>7} {contender:>7} {measured}");
    measured
}
