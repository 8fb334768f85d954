//! The least that could work: croner's schedules in a heap, and one timer for the next of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Begin, Scene, entry};

pub(super) fn start(
    scene: Scene,
    tasks: usize,
    start: DateTime<Utc>,
    begins: mpsc::UnboundedSender<Begin>,
) -> JoinHandle<()> {
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    let mut parsed: BTreeMap<String, Arc<Cron>> = BTreeMap::new();
    let next = |cron: &Cron, after: DateTime<Utc>| cron.find_next_occurrence(&after, false).unwrap();
    let mut crons: Vec<Arc<Cron>> = Vec::with_capacity(tasks);
    for task in 0..tasks {
        let entry = entry(scene, task, start);
        let cron = parsed.entry(entry).or_insert_with_key(|entry| Arc::new(parser.parse(entry).unwrap()));
        crons.push(Arc::clone(cron));
    }
    let mut heap: BinaryHeap<_> =
        crons.iter().enumerate().map(|(task, cron)| Reverse((next(cron, start), task))).collect();
    tokio::spawn(async move {
        while let Some(Reverse((at, task))) = heap.peek().copied() {
            if let Ok(wait) = (at - Utc::now()).to_std() {
                tokio::time::sleep(wait).await;
                continue;
            }
            let _ = begins.send((at, Utc::now()));
            heap.pop();
            heap.push(Reverse((next(&crons[task], at), task)));
        }
    })
}
