//! A writer edits the workdir in random ways; the daemon ends on the last valid content, and never has a mixture in force.
//!
//! `TGSIGND_RELOADS="operations seed"` sets the size and replays a failure; `"1000 1"` without it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tgsignd::config::{FileContent, Sources};
use tgsignd::daemon::reload;

use super::SIGN;
use crate::kit::{Daemon, Line, Log, Stage};

/// Operations between two moments at which the daemon is asked what is in force.
const BURST: usize = 50;

const PLAIN: [&str; 3] = ["a", "b", "more/c"];
/// Links through `..data`, which are swapped together.
const LINKED: [&str; 2] = ["d", "e"];

struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What the workdir holds whenever the writer pauses.
struct Writer {
    workdir: PathBuf,
    random: Random,
    files: BTreeMap<String, String>,
    generation: u32,
    swaps: u32,
    /// The digest of every valid content there ever was.
    valid: BTreeSet<String>,
}

impl Writer {
    fn new(stage: &Stage, seed: u64) -> Self {
        let files = [
            ("tgsignd.toml".to_owned(), stage.settings()),
            ("accounts/alice.toml".to_owned(), "[accounts.alice]\n".to_owned()),
        ];
        let mut writer = Self {
            workdir: stage.workdir(),
            random: Random::new(seed),
            files: files.into(),
            generation: 0,
            swaps: 0,
            valid: BTreeSet::new(),
        };
        for name in LINKED {
            symlink(format!("..data/{name}.toml"), writer.path(name)).unwrap();
        }
        fs::create_dir(writer.workdir.join("more")).unwrap();
        writer.mend();
        writer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.workdir.join(format!("{name}.toml"))
    }

    /// Every beginning of it is invalid: the steps come last.
    fn task(&mut self, name: &str) -> String {
        self.generation += 1;
        let name = name.rsplit('/').next().unwrap();
        let (chat, steps) = SIGN.rsplit_once('\n').unwrap();
        let seconds = 1000 + self.generation;
        format!("[tasks.{name}]\n{chat}\njitter = '{seconds}s'\n{steps}\n")
    }

    fn nonsense(&mut self, name: &str) -> String {
        let task = self.task(name);
        match self.random.below(4) {
            0 => String::new(),
            1 => task.replace("schedule", "schedul"),
            2 => task.replace("@yearly", "whenever"),
            _ => task[..task.len() / 2].to_owned(),
        }
    }

    /// The digest of what is there, if it is valid.
    fn digest(&self) -> Option<String> {
        let content = |text: &String| FileContent::Bytes(text.clone().into_bytes());
        let files = self.files.iter().map(|(name, text)| (name.clone(), content(text))).collect();
        let sources = Sources { files, environment: BTreeMap::new() };
        reload::accept(Ok(sources)).ok().map(|accepted| accepted.snapshot.digest)
    }

    /// One operation; returns what it was.
    fn operate(&mut self) -> &'static str {
        let name = self.random.of(&PLAIN);
        let what = match self.random.below(20) {
            0..=8 => {
                let text = self.task(name);
                self.save(name, &text)
            }
            9..=10 => {
                let text = self.nonsense(name);
                self.save(name, &text)
            }
            11 => {
                if self.files.remove(&format!("{name}.toml")).is_some() {
                    fs::remove_file(self.path(name)).unwrap();
                }
                "remove"
            }
            12..=14 => {
                let broken = self.random.below(4) == 0;
                self.swap_linked(broken);
                "swap ..data"
            }
            15 => {
                self.swap_workdir();
                "swap the workdir"
            }
            16 => {
                fs::rename(self.workdir.join("more"), self.workdir.join(".more")).unwrap();
                self.pause(3);
                fs::rename(self.workdir.join(".more"), self.workdir.join("more")).unwrap();
                "move a folder away and back"
            }
            17 => {
                let junk = ["4913", ".a.toml.swp", "#a.toml#", "a.toml~"].map(|name| self.workdir.join(name));
                for path in &junk {
                    fs::write(path, "junk").unwrap();
                }
                for path in &junk {
                    fs::remove_file(path).unwrap();
                }
                "what editors leave"
            }
            18 => {
                self.mend();
                "mend everything"
            }
            _ => {
                let now = std::time::SystemTime::now();
                for name in self.files.keys() {
                    File::options().append(true).open(self.workdir.join(name)).unwrap().set_modified(now).unwrap();
                }
                "touch everything"
            }
        };
        self.valid.extend(self.digest());
        what
    }

    fn save(&mut self, name: &str, text: &str) -> &'static str {
        let path = self.path(name);
        let hidden = path.with_file_name(".new");
        self.files.insert(format!("{name}.toml"), text.to_owned());
        let ways = ["in place", "in pieces", "rename", "link and rename", "vim", "cp", "delete and write", "same time"];
        let way = self.random.of(&ways);
        match way {
            "in pieces" => {
                let mut file = File::create(&path).unwrap();
                let (first, second) = text.split_at(self.random.below(text.len() + 1));
                self.pause(2);
                file.write_all(first.as_bytes()).unwrap();
                self.pause(2);
                file.write_all(second.as_bytes()).unwrap();
            }
            "rename" => {
                fs::write(&hidden, text).unwrap();
                fs::rename(&hidden, &path).unwrap();
            }
            "link and rename" => {
                fs::write(&hidden, text).unwrap();
                let link = path.with_file_name(".link");
                fs::hard_link(&hidden, &link).unwrap();
                fs::rename(&link, &path).unwrap();
                fs::remove_file(&hidden).unwrap();
            }
            "vim" => {
                let backup = path.with_extension("toml~");
                let had_one = fs::rename(&path, &backup).is_ok();
                fs::write(&path, text).unwrap();
                if had_one {
                    fs::remove_file(backup).unwrap();
                }
            }
            "cp" => {
                fs::write(&hidden, text).unwrap();
                assert!(Command::new("cp").args([&hidden, &path]).status().unwrap().success());
                fs::remove_file(&hidden).unwrap();
            }
            "delete and write" => {
                let _ = fs::remove_file(&path);
                self.pause(2);
                fs::write(&path, text).unwrap();
            }
            "same time" => {
                let before = fs::metadata(&path).and_then(|metadata| metadata.modified());
                fs::write(&path, text).unwrap();
                if let Ok(before) = before {
                    File::options().append(true).open(&path).unwrap().set_modified(before).unwrap();
                }
            }
            _ => fs::write(&path, text).unwrap(),
        }
        way
    }

    fn swap_linked(&mut self, broken: bool) {
        self.swaps += 1;
        let (old, new) = (format!("..{}", self.swaps - 1), format!("..{}", self.swaps));
        fs::create_dir(self.workdir.join(&new)).unwrap();
        for name in LINKED {
            let text = if broken { self.nonsense(name) } else { self.task(name) };
            fs::write(self.workdir.join(&new).join(format!("{name}.toml")), &text).unwrap();
            self.files.insert(format!("{name}.toml"), text);
        }
        symlink(&new, self.workdir.join("..new")).unwrap();
        fs::rename(self.workdir.join("..new"), self.workdir.join("..data")).unwrap();
        let _ = fs::remove_dir_all(self.workdir.join(old));
    }

    /// Another folder with another content takes the workdir's place.
    fn swap_workdir(&mut self) {
        let [new, aside] = ["new", "aside"].map(|name| self.workdir.with_file_name(name));
        for name in PLAIN {
            let text = self.task(name);
            self.files.insert(format!("{name}.toml"), text);
        }
        copy(&self.workdir, &new);
        for (name, text) in
            self.files.iter().filter(|(name, _)| !LINKED.iter().any(|link| **name == format!("{link}.toml")))
        {
            fs::write(new.join(name), text).unwrap();
        }
        fs::rename(&self.workdir, &aside).unwrap();
        self.pause(3);
        fs::rename(new, &self.workdir).unwrap();
        fs::remove_dir_all(aside).unwrap();
    }

    /// Makes everything valid.
    fn mend(&mut self) {
        for name in PLAIN {
            let text = self.task(name);
            let path = self.path(name);
            let hidden = path.with_file_name(".new");
            fs::write(&hidden, &text).unwrap();
            fs::rename(&hidden, &path).unwrap();
            self.files.insert(format!("{name}.toml"), text);
            self.valid.extend(self.digest());
        }
        self.swap_linked(false);
        let digest = self.digest();
        assert!(digest.is_some(), "{:?}", self.files);
        self.valid.extend(digest);
    }

    /// Mostly next to nothing; sometimes long enough for a reading in between.
    fn pause(&mut self, rarely: usize) {
        let milliseconds = if self.random.below(rarely * 20) == 0 { 400 } else { self.random.below(8) };
        std::thread::sleep(Duration::from_millis(milliseconds as u64));
    }
}

/// Copies a workdir, links as links.
fn copy(from: &Path, to: &Path) {
    let [from, to] = [from, to].map(|path| path.to_str().unwrap());
    assert!(Command::new("cp").args(["-a", from, to]).status().unwrap().success());
}

/// Whatever was being read is read to its end, and then what is there now. The loop answers nobody meanwhile.
async fn read_now(daemon: &Daemon) {
    let asked = |line: &Line| line.message().starts_with("SIGHUP");
    let before = daemon.log.lines().iter().filter(|line| asked(line)).count();
    daemon.sighup();
    daemon.log.wait_for(before + 1, asked).await;
}

/// Everything that was in force was there as a whole at some time.
fn nothing_is_mixed(log: &Log, writer: &Writer, history: &[String]) {
    for line in log.lines().iter().filter(|line| line.message() == "the configuration is in force") {
        let digest = line.field("digest");
        assert!(writer.valid.contains(digest), "{digest} never was there as a whole\n{history:#?}\n{}", log.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_ends_on_the_last_valid_content_and_never_on_a_mixture() {
    let size = std::env::var("TGSIGND_RELOADS").unwrap_or_else(|_| "1000 1".to_owned());
    let numbers: Vec<u64> = size.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [operations, seed] = numbers[..] else { panic!("TGSIGND_RELOADS takes operations and a seed") };
    let operations = usize::try_from(operations).unwrap();

    let stage = Arc::new(Stage::new().await);
    let mut writer = Writer::new(&stage, seed);
    let mut daemon = stage.daemon().await;
    let mut in_force = writer.digest().unwrap();
    daemon.follows(&in_force).await;
    let (mut history, mut done, mut restarts, mut accepted, mut refused) = (Vec::new(), 0, 0, 0, 0);
    while done < operations {
        let burst = BURST.min(operations - done);
        let last = done + burst >= operations;
        let (returned, names) = tokio::task::spawn_blocking(move || {
            let mut names = Vec::new();
            for _ in 0..burst {
                names.push(writer.operate().to_owned());
                writer.pause(1);
            }
            if last || writer.random.below(2) == 0 {
                writer.mend();
                names.push("mended".to_owned());
            }
            (writer, names)
        })
        .await
        .unwrap();
        writer = returned;
        history.extend(names);
        done += burst;
        if let Some(digest) = writer.digest() {
            let status = daemon.follows(&digest).await;
            assert_eq!(status.config.last_reload_accepted, Some(true), "seed {seed}: {history:#?}");
            in_force = digest;
        } else {
            read_now(&daemon).await;
            let config = daemon.status().await.config;
            assert_eq!(config.last_reload_accepted, Some(false), "seed {seed}: {history:#?}");
            in_force = config.digest.unwrap();
            assert!(writer.valid.contains(&in_force), "seed {seed}: {history:#?}");
        }
        nothing_is_mixed(&daemon.log, &writer, &history);
        if writer.random.below(3) == 0 {
            let totals = daemon.status().await.totals;
            (accepted, refused) = (accepted + totals.reloads_accepted, refused + totals.reloads_rejected);
            nothing_is_mixed(&daemon.stop().await, &writer, &history);
            daemon = stage.daemon().await;
            restarts += 1;
            let config = daemon.status().await.config;
            assert_eq!(config.digest.as_ref(), Some(&in_force), "seed {seed}: {history:#?}\n{config:?}");
            assert_eq!(config.from_last_good, writer.digest().is_none(), "seed {seed}: {history:#?}");
        }
    }
    let totals = daemon.follows(&stage.digest()).await.totals;
    println!(
        "{done} operations, seed {seed}: {} valid contents, {} reloads accepted, {} refused, {restarts} restarts",
        writer.valid.len(),
        accepted + totals.reloads_accepted,
        refused + totals.reloads_rejected
    );
    nothing_is_mixed(&daemon.stop().await, &writer, &history);
}
