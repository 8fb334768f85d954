//! An edit of one file among many, told by the daemon itself.

use std::time::{Duration, Instant};

use tgsignd::daemon::watcher::QUIET;

use crate::support::{Arguments, Daemon, Place, idle};

const ROUNDS: usize = 7;

/// Longer than the coarsest step of a file system's clock: files that were written just now are read once more.
const PAUSE: Duration = Duration::from_secs(4);

const SETTINGS: &str = "version = 1\n[telegram]\n\
    test_data_centres = [{ id = 2, address = '127.0.0.1:9', key_seed = 'x' }]\n[http]\nlisten = '127.0.0.1:0'\n\
    [log]\nformat = 'json'\n[accounts.a]\n[defaults]\ntimezone = 'UTC'\nchat = 1\nsteps = [{ send = 'x' }]\n";

fn file(task: usize, minute: usize) -> (String, String) {
    let text = format!("[tasks.t{task}]\nschedule = '{} {} * * *'\n", minute % 60, task % 24);
    (format!("t{task}.toml"), text)
}

/// From the end of the pause that an editor is given to the line of the log that says the edit is in force, for edits of one
/// file after the other, the fastest first.
pub(crate) fn measure(files: usize, arguments: &Arguments) -> Vec<Duration> {
    let tasks = (0..files).map(|task| file(task, task));
    let files: Vec<_> = tasks.chain([("tgsignd.toml".to_owned(), SETTINGS.to_owned())]).collect();
    let place = Place::new(&files);
    idle(PAUSE);
    let daemon = Daemon::start(&place, &arguments.binary);
    daemon.ready();
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            // Not while the configuration before is being kept.
            idle(PAUSE);
            let (name, text) = file(round, round + 30);
            std::fs::write(place.workdir().join(name), text).unwrap();
            let clock = Instant::now();
            daemon.wait_for("the configuration is in force");
            clock.elapsed().saturating_sub(QUIET)
        })
        .collect();
    daemon.stop();
    rounds.sort_unstable();
    rounds
}
