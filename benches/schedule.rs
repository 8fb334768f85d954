//! What many tasks cost, side by side in one run: our kernel behind our ticker, a bare heap of croner's schedules with a
//! timer, and tokio-cron-scheduler as it comes.
//!
//! `cargo bench --bench schedule` takes about four minutes; `-- 1000 10000` measures only these numbers of tasks. Every
//! measurement runs in a process of its own, so that memory and CPU time are counted from nothing.

#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

mod contenders;

use std::process::Command;

use contenders::{Contender, Measured, Scene};

/// tokio-cron-scheduler gets no more: adding them alone takes minutes.
const MOST_FOR_STOCK: usize = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, command, contender, scene, tasks] = &arguments[..]
        && command == "measure"
    {
        let (contender, scene) = (contender.parse().unwrap(), scene.parse().unwrap());
        let measured = contenders::measure(contender, scene, tasks.parse().unwrap());
        return println!("{}", measured.to_line());
    }
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1, 1_000, 10_000, 100_000];
    }
    println!("{}", Measured::HEADER);
    for scene in Scene::ALL {
        for tasks in &sizes {
            for contender in Contender::ALL {
                if *tasks <= MOST_FOR_STOCK || contender != Contender::Stock {
                    println!("{scene:>7} {tasks:>7} {contender:>7} {}", in_child(contender, scene, *tasks));
                }
            }
        }
    }
    for tasks in sizes.into_iter().filter(|tasks| *tasks > 1) {
        contenders::reload::print(tasks);
    }
}

fn in_child(contender: Contender, scene: Scene, tasks: usize) -> Measured {
    let words = ["measure".to_owned(), contender.to_string(), scene.to_string(), tasks.to_string()];
    let output = Command::new(std::env::current_exe().unwrap()).args(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Measured::from_line(&text).unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}
