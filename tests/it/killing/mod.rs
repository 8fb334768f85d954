//! Daemons that are started, stopped and killed at random, judged by what the data centre and the WebDAV server saw.
//!
//! | file | what it holds |
//! |---|---|
//! | `arena` | the two servers, the hosts, and the slots that come due |
//! | `judge` | what must never be seen |
//!
//! `TGSIGND_KILLS="rounds seed"` sets the size and replays a plan; `"200 1"` is the whole of it and takes half an hour. From a
//! hundred rounds on, some of the killed stay unburied, and the next one waits for them as long as it does in life.

mod arena;
mod judge;

use self::arena::{Arena, Fate};

/// Rounds and seed, the latter for messages.
fn plan(rounds: u64) -> (u64, u64) {
    let text = std::env::var("TGSIGND_KILLS").unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("TGSIGND_KILLS=\"rounds seed\""));
    (numbers.next().unwrap_or(rounds), numbers.next().unwrap_or(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_that_come_and_go_never_sign_in_at_once_and_never_fork() {
    let (rounds, seed) = plan(5);
    let mut arena = Arena::new(2, rounds, seed).await;
    while arena.ended() < rounds {
        let host = arena.random.index(2);
        if arena.is_running(host) {
            let fate = if arena.random.below(3) == 0 { Fate::Terminated } else { Fate::Killed };
            arena.end(host, fate).await;
        } else {
            // A host keeps its disk, mostly.
            let new_disk = arena.random.below(5) == 0;
            arena.start(host, new_disk);
        }
        arena.wait_a_little().await;
    }
    arena.conclude().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_is_killed_anywhere_repeats_nothing_on_its_next_disk() {
    let (rounds, seed) = plan(5);
    let mut arena = Arena::new(1, rounds, seed).await;
    while arena.ended() < rounds {
        arena.wait_a_little().await;
        arena.end(0, Fate::Killed).await;
        arena.start(0, true);
    }
    arena.conclude().await;
}
