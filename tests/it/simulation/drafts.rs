//! The configurations: random tasks in ten zones, and random edits of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tgsignd::config::{self, FileContent, Snapshot, Sources};

use crate::kit::Random;

const ZONES: [&str; 10] = [
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Tehran",
    "America/Sao_Paulo",
    "Pacific/Auckland",
    "Africa/Casablanca",
    "UTC",
];
const ENTRIES: [&str; 12] = [
    "06:00",
    "30 2 * * *",
    "17 2,14 * * *",
    "0 6 * * MON-FRI",
    "0 */12 * * *",
    "30 4 1,15 * 5",
    "0 0 L * *",
    "45 1-3 * * SUN",
    "@weekly",
    "23:59:59",
    "0 0 * * *",
    "15 3 * 3,10,11 *",
];
pub(super) const ACCOUNTS: usize = 12;

/// The tables of one task, each line drawn anew by a reload now and then.
pub(super) struct Draft {
    enabled: bool,
    when: String,
    zone: &'static str,
    jitter: &'static str,
    missed: &'static str,
    accounts: Vec<u64>,
    more: String,
}

impl Draft {
    pub(super) fn draw(random: &mut Random) -> Self {
        let mut draft = Self {
            enabled: true,
            when: String::new(),
            zone: random.of(&ZONES),
            jitter: "0s",
            missed: "",
            accounts: Vec::new(),
            more: String::new(),
        };
        for what in 0..5 {
            draft.redraw(what, random);
        }
        draft
    }

    pub(super) fn redraw(&mut self, what: u64, random: &mut Random) {
        match what {
            0 => {
                self.when = match random.below(6) {
                    0 => format!("between = {}", random.of(&["['07:00', '09:30']", "['23:00', '01:30']"])),
                    1 => format!("every = '{}'", random.of(&["5h", "20h", "3d"])),
                    _ => {
                        let entries = (0..=random.below(2)).map(|_| format!("'{}'", random.of(&ENTRIES)));
                        format!("schedule = [{}]", entries.collect::<Vec<_>>().join(", "))
                    }
                }
            }
            1 => self.jitter = random.of(&["0s", "10m", "2h"]),
            2 => {
                let policies = ["{ policy = 'skip' }", "{ within = '6h' }", "{ within = '20m' }", "{ within = '3d' }"];
                self.missed = random.of(&policies);
            }
            3 => {
                let first = random.below(ACCOUNTS as u64);
                self.accounts = (first..=first + random.below(2)).map(|account| account % ACCOUNTS as u64).collect();
            }
            4 => {
                self.more = format!(
                    "retry = {{ attempts = {}, delay = '{}' }}\n{}{}",
                    1 + random.below(3),
                    random.of(&["1m", "30m", "1h"]),
                    random.of(&["", "deadline = '22:00'\n"]),
                    random.of(&["", "", "once_per = 'day'\n"]),
                );
            }
            _ => self.enabled = !self.enabled,
        }
    }

    fn write(&self, name: usize, text: &mut String) {
        let accounts: Vec<_> = self.accounts.iter().map(|account| format!("'a{account}'")).collect();
        let Self { enabled, when, zone, jitter, missed, more, .. } = self;
        write!(
            text,
            "[tasks.t{name}]\nenabled = {enabled}\n{when}\ntimezone = '{zone}'\njitter = '{jitter}'\n\
             missed = {missed}\naccounts = [{}]\n{more}chat = 1\nsteps = [{{ send = 'x' }}]\n",
            accounts.join(", ")
        )
        .unwrap();
    }
}

/// The lines of one account.
pub(super) fn draw_account(random: &mut Random) -> String {
    let quiet =
        random.of(&["", "quiet = ['23:00', '07:00']\n", "quiet = ['12:00', '13:30']\ntimezone = 'Asia/Tokyo'\n"]);
    let budget = random.of(&["", "at_most = { runs = 9, per = '6h' }\n", "at_most = { runs = 3, per = '1h' }\n"]);
    format!("{quiet}{budget}")
}

pub(super) fn snapshot(accounts: &[String], drafts: &[Draft]) -> Arc<Snapshot> {
    let mut text = "version = 1\n".to_owned();
    accounts.iter().enumerate().for_each(|(name, lines)| write!(text, "[accounts.a{name}]\n{lines}").unwrap());
    drafts.iter().enumerate().for_each(|(name, draft)| draft.write(name, &mut text));
    let files = BTreeMap::from([("tgsignd.toml".to_owned(), FileContent::Bytes(text.into()))]);
    Arc::new(config::load(&Sources { files, environment: BTreeMap::new() }).unwrap().snapshot)
}
