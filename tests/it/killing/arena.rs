//! The two servers, the hosts, and the slots that come due.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use telegram_sim::{Account, BotAction, BotContext, BotEvent, BotEventKind, BotProfile, Content, World};
use tgsignd::backup::keys::DerivedKeys;
use tgsignd::backup::manifest::{ObjectName, Release, Stem};
use tgsignd::backup::position;
use tgsignd::config::secret::Secret;
use tgsignd::daemon::control::{Client, Reply, Request};
use tgsignd::script::Outcome;
use webdav_sim::{Server, profiles};

use super::judge::Judge;
use crate::kit::{Daemon, Invocation, LOOK_AGAIN, Stage, within_limit};

const KEY: &str = "a secret of more than thirty-two bytes";
const ACCOUNTS: [(&str, i64); 2] = [("alice", 30_001), ("bob", 30_002)];
const FOLDER: &str = "tgsignd";

/// One slot is due that often.
const GAP: TimeDelta = TimeDelta::seconds(2);
/// Slots for each round.
const SLOTS: i32 = 4;
/// The answer to a click is waited for so long; a lost one must not keep an account for longer than processes live.
const ANSWER: &str = "5s";
/// From so many rounds on some of the dead are not buried.
const LONG: u64 = 100;

/// A process that waits for one that says nothing is ready after that.
const PATIENCE: Duration = Duration::from_mins(3);

/// The last process has settled whatever the others left after that.
const SETTLING: Duration = Duration::from_mins(15);

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Killed,
    Terminated,
}

/// Marsaglia's xorshift.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }
}

/// A machine with a disk.
struct Host {
    datadir: PathBuf,
    process: Option<Daemon>,
    /// Which process that is.
    number: i32,
    /// The process began without a disk, where there was a backup.
    restores: bool,
}

/// Everything.
pub(super) struct Arena {
    pub(super) random: Random,
    seed: u64,
    rounds: u64,
    stage: Stage,
    server: Server,
    hosts: Vec<Host>,
    judge: Judge,
    first_slot: DateTime<Utc>,
    started: i32,
    /// The last process that had been started when one was killed and not buried: the next one waits its 90 s.
    unburied: Option<i32>,
    ended: u64,
    /// What happened how often.
    counts: BTreeMap<&'static str, usize>,
    story: Vec<String>,
}

/// Every second bot's answer leaves a trace in the chat, the others' is a popup.
fn ticket_bot(event: &BotEvent, _: &mut BotContext<'_>) -> Vec<BotAction> {
    match &event.kind {
        BotEventKind::Text { text, .. } => {
            let Some(name) = text.strip_prefix("/sign ") else { return Vec::new() };
            vec![BotAction::send(Content::text(format!("请点击 {name}")).buttons(&[(&format!("签到 {name}"), name)]))]
        }
        BotEventKind::Button { data, .. } => {
            let name = String::from_utf8_lossy(data);
            let done = format!("签到成功 {name}");
            if name.ends_with(['0', '2', '4', '6', '8']) {
                vec![BotAction::edit(Content::text(done))]
            } else {
                vec![BotAction::alert(done)]
            }
        }
        _ => Vec::new(),
    }
}

impl Arena {
    /// The first host has the sessions, and its daemon has made the first generation.
    pub(super) async fn new(hosts: usize, rounds: u64, seed: u64) -> Self {
        let mut world = World::new().log_limit(1_000_000).bot(BotProfile::new("ticket", "ticket_bot", ticket_bot));
        for (name, id) in ACCOUNTS {
            world = world.account(Account::new(name, &format!("+2{id:010}"), id).signed_in());
        }
        let stage = Stage::of(world).await;
        let server = Server::start(profiles::APACHE).await.unwrap();
        for (name, id) in ACCOUNTS {
            stage.sign_in(name, id);
        }
        // Two hosts hold on to their connections, so that both would be seen.
        let connect = if hosts > 1 { "always" } else { "on-demand" };
        let telegram = stage.settings().replace("[telegram]\n", &format!("[telegram]\nconnect = '{connect}'\n"));
        let settings = format!(
            "{telegram}[backup]\nurl = '{}'\nusername = '{}'\npassword = '{}'\nencryption_key = '{KEY}'\ninterval = '10s'\n\
             min_gap = '1s'\nlevel = 1\n",
            server.url(),
            server.username(),
            server.password(),
        );
        stage.write("tgsignd.toml", &settings);
        let datadirs = [stage.datadir(), stage.other_datadir()];
        let mut arena = Self {
            // Marsaglia's generator needs a state that is not zero.
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            seed,
            rounds,
            stage,
            server,
            hosts: datadirs
                .into_iter()
                .take(hosts)
                .map(|datadir| Host { datadir, process: None, number: 0, restores: false })
                .collect(),
            judge: Judge::default(),
            first_slot: Utc::now().trunc_subsecs(0) + TimeDelta::seconds(5),
            started: 0,
            unburied: None,
            ended: 0,
            counts: BTreeMap::new(),
            story: Vec::new(),
        };
        arena.write_tasks();
        arena.start(0, false);
        let mut requests = arena.server.request_counts();
        let first = requests.wait_for(|_| arena.server.files().iter().any(|file| file.contains("-m-")));
        within_limit(async { drop(first.await) }, || "the first generation".to_owned()).await;
        arena
    }

    fn write_tasks(&self) {
        let mut text = String::new();
        for number in 0..self.slots() {
            let (name, account) = (task(number), account(number));
            let time = self.slot(number).format("%H:%M:%S");
            write!(
                text,
                "[tasks.{name}]\naccounts = ['{account}']\nchat = '@ticket_bot'\nschedule = '{time}'\n\
                 missed = {{ policy = 'run-once', within = '3h' }}\n\
                 steps = [{{ send = '/sign {name}' }}, {{ click = '签到 {name}', within = '{ANSWER}' }}]\n\
                 outcome = {{ success = ['签到成功 {name}'] }}\n"
            )
            .unwrap();
        }
        self.stage.write("tasks.toml", &text);
    }

    fn slots(&self) -> i32 {
        i32::try_from(self.rounds).unwrap() * SLOTS
    }

    fn slot(&self, number: i32) -> DateTime<Utc> {
        self.first_slot + GAP * number
    }

    /// Processes that were ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    pub(super) fn is_running(&self, host: usize) -> bool {
        self.hosts[host].process.is_some()
    }

    /// Starts a daemon and does not wait for it.
    pub(super) fn start(&mut self, host: usize, new_disk: bool) {
        self.started += 1;
        let Host { datadir, process, number, restores } = &mut self.hosts[host];
        *number = self.started;
        if new_disk && datadir.exists() {
            std::fs::remove_dir_all(&*datadir).unwrap();
        }
        *restores = !datadir.join("state/state.db").exists() && !datadir.join("sessions").exists();
        let (workdir, datadir) = (self.stage.workdir(), datadir.clone());
        let places = [workdir.as_os_str(), "--datadir".as_ref(), datadir.as_os_str()];
        let invocation = Invocation::new(["run", "--workdir"]).arguments(places);
        let invocation =
            invocation.variable("TG_API_ID", self.started.to_string()).variable("TG_API_HASH", "0".repeat(32));
        *process = Some(Daemon::spawn(invocation, datadir));
        self.tell(&format!(
            "host {host}: process {} starts{}",
            self.started,
            if new_disk { " on a new disk" } else { "" }
        ));
    }

    /// Ends the daemon of a host; one that was killed lets nobody know, so its release is written for it.
    pub(super) async fn end(&mut self, host: usize, fate: Fate) {
        let process = self.hosts[host].process.take().expect("it runs");
        self.ended += 1;
        let log = process.log.clone();
        match fate {
            Fate::Killed => process.kill9().await,
            Fate::Terminated => {
                let mut process = process;
                process.sigterm();
                process.exit().await;
            }
        }
        let said = log.text();
        let word = if fate == Fate::Killed { "is killed" } else { "is told to end" };
        self.tell(&format!("host {host}: {word} after {} lines of log", said.lines().count()));
        *self.counts.entry(word).or_default() += 1;
        let patient = self.rounds >= LONG && self.random.below(25) == 0;
        match fate {
            Fate::Killed if patient => self.unburied = Some(self.started),
            Fate::Killed => self.bury(host),
            Fate::Terminated => {}
        }
        self.heed(host, &said);
        self.check();
    }

    /// Writes the release record that a killed process could not write.
    fn bury(&self, host: usize) {
        let directory = format!("{}{FOLDER}/", self.server.url());
        let position = position::load(&self.hosts[host].datadir, &directory).unwrap();
        let Some(epoch) = position.and_then(|position| position.boots.last().copied()) else { return };
        let release = Release { instance: String::new(), epoch, last: None, time: Utc::now().trunc_subsecs(0) };
        let key = DerivedKeys::from_text(&Secret::new(KEY.to_owned())).unwrap().signing;
        let name = ObjectName::Release(epoch).to_text(&Stem::default());
        self.server.write(&format!("{FOLDER}/{name}"), &release.to_bytes(&key));
    }

    /// What the log of a daemon must and must not say.
    fn heed(&mut self, host: usize, log: &str) {
        let says = |words: &str| log.lines().any(|line| line.contains(words));
        let has_begun = says("\"message\":\"ready\"");
        for (what, has) in [
            ("restored", says("restored; what was done in the ")),
            ("was ready", has_begun),
            ("was overtaken", says("another process has taken over")),
            ("was ended before it was ready", !has_begun),
        ] {
            *self.counts.entry(what).or_default() += usize::from(has);
        }
        if self.hosts[host].restores && has_begun {
            assert!(log.contains("restored; what was done in the "), "{}\n{log}", self.explain("nothing was said"));
        }
        for never in ["backup_conflict", "panic"] {
            assert!(!log.contains(never), "{}\n{log}", self.explain(never));
        }
    }

    /// After one that was not buried, the next one is given the time to take over.
    async fn honour_the_dead(&mut self) {
        let Some(last) = self.unburied else { return };
        let Some(host) = self.hosts.iter().position(|host| host.process.is_some() && host.number > last) else {
            return;
        };
        let log = self.hosts[host].process.as_ref().map(|process| process.log.clone()).unwrap();
        let ready = async {
            while !log.lines().iter().any(|line| line.message() == "ready") {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, ready).await.is_ok();
        assert!(in_time, "{}\n{}", self.explain("it never became ready"), log.text());
        self.unburied = None;
        *self.counts.entry("waited for the dead").or_default() += 1;
        self.tell(&format!("host {host}: process {} has waited and is ready", self.hosts[host].number));
    }

    /// Lets everybody go on for a while, which is counted in what the two servers are asked.
    pub(super) async fn wait_a_little(&mut self) {
        self.honour_the_dead().await;
        let effects = self.random.below(240);
        // Hosts that wait for each other ask for little; one alone always has something to do.
        let longest = if self.hosts.len() > 1 { 500 + self.random.below(5500) } else { 10_000 };
        let (mut requests, mut calls) = (self.server.request_counts(), self.stage.centre.log_changes());
        let goal = *requests.borrow() as u64 + *calls.borrow() + effects;
        let reached = async {
            while *requests.borrow_and_update() as u64 + *calls.borrow_and_update() < goal {
                tokio::select! {
                    _ = requests.changed() => {}
                    _ = calls.changed() => {}
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(longest), reached).await;
        self.check();
    }

    fn check(&mut self) {
        let entries = self.stage.centre.log_since(self.judge.position());
        let verdict = self.judge.read(entries).and_then(|()| self.judge.look(&self.server.files()));
        if let Err(what) = verdict {
            let logs: String = self.hosts.iter().filter_map(|host| Some(host.process.as_ref()?.log.text())).collect();
            panic!("{}\n{logs}", self.explain(&what));
        }
    }

    /// A last process settles every slot that has come due, and says so of each.
    pub(super) async fn conclude(mut self) {
        for host in 0..self.hosts.len() {
            if self.is_running(host) {
                self.end(host, Fate::Terminated).await;
            }
        }
        self.start(0, self.hosts.len() == 1);
        self.honour_the_dead().await;
        let now = Utc::now();
        let due: Vec<i32> = (0..self.slots()).filter(|number| self.slot(*number) <= now).collect();
        let daemon = self.hosts[0].process.take().unwrap().ready().await;
        // The status does not show what was `unknown` before this process began and is read again in an hour; the ledger does.
        let Ok(settled) = tokio::time::timeout(SETTLING, self.settled(&due)).await else {
            panic!("{}\n{}", self.explain("not every slot was settled"), daemon.log.text());
        };
        self.check();
        let log = daemon.stop().await.text();
        self.heed(0, &log);
        self.check();

        let outcomes: Vec<_> = due.iter().map(|number| (*number, settled[&task(*number)])).collect();
        let succeeded = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Succeeded).count();
        let story = self.explain("");
        for (number, outcome) in &outcomes {
            let done = self.judge.was_done(&format!("/sign {}", task(*number)), &task(*number));
            assert!(done || *outcome != Outcome::Succeeded, "{number} was not done\n{story}");
        }
        let mut words = BTreeMap::<_, usize>::new();
        for (_, outcome) in &outcomes {
            *words.entry(outcome.as_str()).or_default() += 1;
        }
        let (sent, pressed) = self.judge.done();
        println!("{} slots were due: {words:?}; {sent} messages, {pressed} clicks", due.len());
        println!("{} processes, {} ended: {:?}", self.started, self.ended, self.counts);
        assert!(succeeded * 2 > due.len(), "too little is signed in to prove anything: {outcomes:?}\n{story}\n{log}");
    }

    /// The outcomes of the slots that are due, once all have one.
    async fn settled(&self, due: &[i32]) -> BTreeMap<String, Outcome> {
        let mut outcomes = BTreeMap::new();
        for number in due {
            let name = task(*number);
            let request = Request::Runs { task: Some(name.parse().unwrap()), limit: 1 };
            let outcome = loop {
                let mut client =
                    Client::call(&self.stage.datadir(), &request).await.unwrap().expect("the daemon listens");
                match client.next().await.unwrap() {
                    Some(Reply::Runs { runs }) if runs.is_empty() => tokio::time::sleep(LOOK_AGAIN).await,
                    Some(Reply::Runs { runs }) => break runs[0].outcome,
                    other => panic!("{other:?} are no runs"),
                }
            };
            outcomes.insert(name, outcome);
        }
        outcomes
    }

    fn tell(&mut self, what: &str) {
        let line = format!("{} {what}", Utc::now().format("%H:%M:%S%.3f"));
        println!("{line}");
        self.story.push(line);
    }

    fn explain(&self, what: &str) -> String {
        format!("{what}\nTGSIGND_KILLS=\"{} {}\"\n{}", self.rounds, self.seed, self.story.join("\n"))
    }
}

/// The digits keep one name from being the beginning of another.
fn task(number: i32) -> String {
    format!("t{number:05}")
}

fn account(number: i32) -> &'static str {
    ACCOUNTS[usize::from(number % 4 >= 2)].0
}
