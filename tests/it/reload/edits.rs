//! Ways to save one file, and files that cannot be used.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use telegram_sim::Event;

use super::{SIGN, was_noticed};
use crate::kit::{Invocation, Stage, tool};

/// Brings a text into a file.
type Save = fn(&Path, &str);

/// Puts something at a path.
type Make = fn(&Path);

/// Always of the same length.
fn text(minutes: usize) -> String {
    format!("[tasks.one]\n{SIGN}\njitter = '{minutes:02}m'\n")
}

fn run(program: &str, arguments: &[&Path]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

/// A name beside the file that no reading looks at.
fn beside(path: &Path, name: &str) -> std::path::PathBuf {
    path.with_file_name(name)
}

fn in_place(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

fn in_two_pieces(path: &Path, text: &str) {
    let mut file = File::create(path).unwrap();
    let (first, second) = text.split_at(text.len() / 2);
    file.write_all(first.as_bytes()).unwrap();
    file.sync_all().unwrap();
    file.write_all(second.as_bytes()).unwrap();
}

fn renamed_over(path: &Path, text: &str) {
    fs::write(beside(path, ".one.tmp"), text).unwrap();
    fs::rename(beside(path, ".one.tmp"), path).unwrap();
}

fn linked_and_renamed(path: &Path, text: &str) {
    fs::write(beside(path, "new~"), text).unwrap();
    fs::hard_link(beside(path, "new~"), beside(path, "link~")).unwrap();
    fs::rename(beside(path, "link~"), path).unwrap();
    fs::remove_file(beside(path, "new~")).unwrap();
}

fn by_sed(path: &Path, text: &str) {
    let line = text.lines().find(|line| line.starts_with("jitter")).unwrap();
    run("sed", &["-i".as_ref(), format!("s/^jitter.*/{line}/").as_ref(), path]);
}

/// `set backup`, and the name with which vim tries whether it may write into the folder.
fn by_vim(path: &Path, text: &str) {
    fs::write(beside(path, "4913"), "").unwrap();
    fs::remove_file(beside(path, "4913")).unwrap();
    fs::rename(path, beside(path, "one.toml~")).unwrap();
    fs::write(path, text).unwrap();
    fs::remove_file(beside(path, "one.toml~")).unwrap();
}

fn by_emacs(path: &Path, text: &str) {
    symlink("me@here.1:1", beside(path, ".#one.toml")).unwrap();
    fs::write(beside(path, "#one.toml#"), text).unwrap();
    fs::copy(path, beside(path, "one.toml~")).unwrap();
    fs::write(path, text).unwrap();
    fs::remove_file(beside(path, "#one.toml#")).unwrap();
    fs::remove_file(beside(path, ".#one.toml")).unwrap();
}

fn by_cp(path: &Path, text: &str) {
    fs::write(beside(path, ".one.tmp"), text).unwrap();
    run("cp", &[&beside(path, ".one.tmp"), path]);
}

fn deleted_and_made_anew(path: &Path, text: &str) {
    fs::remove_file(path).unwrap();
    fs::write(path, text).unwrap();
}

/// As `rsync --times` and Git's checkout of an old commit may leave it: the size too is the same.
fn with_the_same_time(path: &Path, text: &str) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, text).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(before).unwrap();
}

/// The kernel tells that the file was closed, and not that it was written.
fn through_memory(path: &Path, text: &str) {
    const PROGRAM: &str = "import mmap, sys\n\
        with open(sys.argv[1], 'r+b') as file:\n    \
            with mmap.mmap(file.fileno(), 0) as memory:\n        memory[:] = sys.argv[2].encode()\n";
    run("python3", &["-c".as_ref(), PROGRAM.as_ref(), path, text.as_ref()]);
}

#[tokio::test]
async fn every_way_to_save_a_file_is_noticed_at_once() {
    let ways: [(&str, Save); 11] = [
        ("in place", in_place),
        ("in two pieces", in_two_pieces),
        ("renamed over", renamed_over),
        ("linked and renamed", linked_and_renamed),
        ("sed -i", by_sed),
        ("vim", by_vim),
        ("emacs", by_emacs),
        ("cp", by_cp),
        ("deleted and made anew", deleted_and_made_anew),
        ("with the same time", with_the_same_time),
        ("through memory", through_memory),
    ];
    let stage = Stage::new().await;
    let path = stage.workdir().join("one.toml");
    in_place(&path, &text(99));
    let daemon = stage.daemon_as(stage.tgsignd(&["run", "-v"])).await;
    for (number, (name, save)) in ways.into_iter().enumerate() {
        if name == "through memory" && tool("python3").is_none() {
            continue;
        }
        save(&path, &text(number));
        assert_eq!(fs::read_to_string(&path).unwrap(), text(number), "{name}");
        let status = daemon.follows(&stage.digest()).await;
        assert_eq!(status.totals.reloads_accepted, number as u64 + 1, "{name}: {}", daemon.log.text());
        was_noticed(&daemon).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn what_means_the_same_is_no_change_and_edits_at_once_are_one() {
    let stage = Stage::new().await;
    let path = stage.workdir().join("one.toml");
    in_place(&path, &text(1));
    let daemon = stage.daemon_as(stage.tgsignd(&["run", "-v"])).await;
    let before = stage.digest();

    daemon.signal(Signal::STOP);
    in_place(&path, &text(2));
    renamed_over(&path, &text(1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    File::open(&path).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    let readings = || daemon.log.lines().iter().filter(|line| line.message() == "reading the workdir").count();
    let known = readings();
    daemon.signal(Signal::CONT);
    daemon.log.wait_for(known + 1, |line| line.message() == "reading the workdir").await;
    assert_eq!(daemon.status().await.config.digest, Some(before));

    daemon.signal(Signal::STOP);
    renamed_over(&path, &text(3));
    by_vim(&path, &text(4));
    daemon.signal(Signal::CONT);
    let status = daemon.follows(&stage.digest()).await;
    assert_eq!((status.totals.reloads_accepted, status.totals.reloads_rejected), (1, 0), "{}", daemon.log.text());
    daemon.stop().await;
}

#[tokio::test]
async fn a_file_is_not_in_force_before_all_of_it_is_there() {
    let stage = Stage::new().await;
    let path = stage.workdir().join("one.toml");
    in_place(&path, &text(1));
    let daemon = stage.daemon().await;
    let before = stage.digest();
    let mut file = File::create(&path).unwrap();
    daemon.line(|line| line.message().starts_with("one.toml") && line.message().contains("emptied")).await;
    let new = text(2);
    let (half, rest) = new.split_at(new.len() / 2);
    file.write_all(half.as_bytes()).unwrap();
    daemon.says("one.toml:").await;
    let status = daemon.status_when(|status| status.totals.reloads_rejected == 2).await;
    assert_eq!((status.config.digest, status.config.last_reload_accepted), (Some(before), Some(false)));
    assert!(status.tasks.contains_key("one"));
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    let status = daemon.follows(&stage.digest()).await;
    assert_eq!((status.totals.reloads_accepted, status.config.errors.len()), (1, 0));
    assert!(!daemon.has_said("have disappeared"), "{}", daemon.log.text());
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_no_readable_file_is_named_and_holds_nothing_up() {
    let things: [(&str, Make); 4] = [
        ("is a FIFO", |path| run("mkfifo", &[path])),
        ("leads nowhere", |path| symlink("nowhere", path).unwrap()),
        ("is a device", |path| symlink("/dev/zero", path).unwrap()),
        ("is larger than 1 MiB", |path| fs::write(path, vec![b'#'; 1 << 21]).unwrap()),
    ];
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let daemon = stage.daemon().await;
    let before = stage.digest();
    // Nobody reads what is not called *.toml.
    run("mkfifo", &[&stage.workdir().join("fifo")]);
    fs::write(stage.workdir().join(std::ffi::OsStr::from_bytes(b"\xff~")), "x").unwrap();
    let bad_name = stage.workdir().join(std::ffi::OsStr::from_bytes(b"\xff.toml"));
    let named = things.map(|(what, make)| (what, make, stage.workdir().join("thing.toml"), "thing.toml"));
    let unnameable: (&str, Make, _, _) = ("has no name", |path| fs::write(path, "x").unwrap(), bad_name, "UTF-8");
    for (what, make, path, says) in named.into_iter().chain([unnameable]) {
        make(&path);
        let refused = daemon.status_when(|status| status.config.last_reload_accepted == Some(false)).await;
        let errors = &refused.config.errors;
        assert!(errors.len() == 1 && errors[0].contains(says), "{what}: {errors:?}");
        assert_eq!(refused.config.digest.as_ref(), Some(&before), "{what}");
        assert_eq!(daemon.get("/livez").await.status, 200, "{what}");
        fs::remove_file(&path).unwrap();
        daemon.status_when(|status| status.config.last_reload_accepted == Some(true)).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_file_without_permission_is_an_error_until_the_permission_comes_back() {
    let Some(setpriv) = tool("setpriv") else { return };
    let stage = Stage::new().await;
    stage.task("one", SIGN);
    let path = stage.workdir().join("one.toml");
    let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    // For root no permission is missing, unless these capabilities are.
    let command = stage.tgsignd(&["run"]);
    let without = Invocation::program(setpriv).arguments(["--bounding-set=-dac_override,-dac_read_search", "--"]);
    let daemon = stage.daemon_as(without.arguments(command.line().split(' '))).await;
    let before = stage.digest();
    set_mode(0o000);
    let refused = daemon.status_when(|status| status.config.last_reload_accepted == Some(false)).await;
    assert!(refused.config.errors[0].contains("one.toml") && refused.config.errors[0].contains("ermission"));
    assert_eq!(refused.config.digest, Some(before));
    set_mode(0o600);
    daemon.status_when(|status| status.config.last_reload_accepted == Some(true)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_ends_as_it_began_whatever_is_edited_meanwhile() {
    let stage = Stage::new().await;
    let asks = |text: &str| {
        format!(
            "schedule = '@yearly'\nchat = '@silent_bot'\ntimeout = '1m'\n\
             steps = [{{ send = '{text}' }}, {{ expect = '请继续' }}, {{ send = '{text} again' }}]"
        )
    };
    stage.task("one", &asks("old"));
    let daemon = stage.daemon().await;
    let asked = tokio::spawn(stage.tgsignd(&["once", "one"]).ends());
    stage.sees_message("alice", "silent").await;
    stage.task("one", &asks("new"));
    daemon.follows(&stage.digest()).await;
    stage.centre.bot_says("silent", "alice", "请继续");
    let is_second = |event: &Event| matches!(event, Event::MessageSent { text, .. } if text == "old again");
    stage.centre.wait_for_entry(|entry| is_second(&entry.event)).await;
    stage.centre.bot_says("silent", "alice", "签到成功");
    asked.await.unwrap().success();
    assert_eq!(stage.sent("alice", "silent"), ["old", "old again"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_with_the_newest_edit_that_was_good() {
    let stage = Stage::new().await;
    let path = stage.workdir().join("one.toml");
    in_place(&path, &text(1));
    let daemon = stage.daemon().await;
    in_place(&path, &text(2));
    let good = stage.digest();
    daemon.follows(&good).await;
    in_place(&path, "");
    daemon.status_when(|status| status.config.last_reload_accepted == Some(false)).await;
    daemon.stop().await;

    for _ in 0..2 {
        let daemon = stage.daemon().await;
        let status = daemon.status().await;
        assert_eq!((status.config.from_last_good, status.config.digest.as_ref()), (true, Some(&good)));
        assert!(!status.config.errors.is_empty());
        daemon.kill9().await;
    }
    in_place(&path, &text(3));
    let daemon = stage.daemon().await;
    assert!(!daemon.follows(&stage.digest()).await.config.from_last_good);
    daemon.stop().await;
}
