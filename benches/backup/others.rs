//! What other programs need for the same tree: `tar | gzip | age`, restic, rclone crypt.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::support::Process;

/// A process's peak can be read as long as it runs, so it is read this often.
const SAMPLE: Duration = Duration::from_millis(10);

/// What programs that worked together needed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// Megabytes, the sum of their peaks.
    pub(super) peak: f64,
}

/// Whether a program can be run.
pub(super) fn installed(program: &str) -> bool {
    Command::new(program)
        .arg("version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// `tar -c TREE | gzip -LEVEL | age -r RECIPIENT > INTO`
pub(super) fn pipeline(tree: &Path, level: u32, recipient: &str, into: &Path) -> Cost {
    let clock = Instant::now();
    let mut tar = Command::new("tar").arg("-cf-").arg("-C").arg(tree).arg(".").stdout(Stdio::piped()).spawn().unwrap();
    let mut gzip = Command::new("gzip");
    gzip.arg(format!("-{level}")).stdin(tar.stdout.take().unwrap()).stdout(Stdio::piped());
    let mut gzip = gzip.spawn().unwrap();
    let mut age = Command::new("age");
    age.arg("-r").arg(recipient).stdin(gzip.stdout.take().unwrap()).stdout(fs::File::create(into).unwrap());
    let age = age.spawn().unwrap();
    wait(clock, vec![tar, gzip, age])
}

/// One command, to its successful end.
pub(super) fn run(command: &mut Command) -> Cost {
    let clock = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait(clock, vec![child])
}

fn wait(clock: Instant, mut children: Vec<Child>) -> Cost {
    let mut peaks = vec![0.0_f64; children.len()];
    let mut running = true;
    while running {
        running = false;
        for (child, peak) in children.iter().zip(&mut peaks) {
            running |= !has_ended(child);
            *peak = peak.max(Process::of(child).memory().peak);
        }
        sleep(SAMPLE);
    }
    let wall = clock.elapsed();
    // Their counters can be read until somebody asks how they ended.
    let cpu = children.iter().map(|child| Process::of(child).cpu()).sum();
    for child in &mut children {
        assert!(child.wait().unwrap().success(), "{child:?} failed");
    }
    Cost { wall, cpu, peak: peaks.iter().sum() }
}

fn has_ended(child: &Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    waitid(WaitId::Pid(Pid::from_child(child)), options).unwrap().is_some()
}

/// Restic into a repository on this disk: the first backup, and one of the same tree again.
pub(super) fn restic(tree: &Path, scratch: &Path) -> (Cost, Cost) {
    let command = |arguments: &[&str]| {
        let mut command = Command::new("restic");
        command.env("RESTIC_PASSWORD", "benchmark").arg("--quiet").arg("--no-cache");
        command.arg("--repo").arg(scratch.join("restic")).args(arguments);
        command
    };
    run(&mut command(&["init"]));
    let backup = || run(command(&["backup"]).arg(tree));
    (backup(), backup())
}

/// rclone crypt to a WebDAV server: the first copy, and one of the same tree again.
pub(super) fn rclone(tree: &Path, url: &str, username: &str, password: &str) -> (Cost, Cost) {
    let obscured = |text: &str| {
        let output = Command::new("rclone").arg("obscure").arg(text).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let settings = [
        ("DAV_TYPE", "webdav".to_owned()),
        ("DAV_URL", url.to_owned()),
        ("DAV_USER", username.to_owned()),
        ("DAV_PASS", obscured(password)),
        ("SEALED_TYPE", "crypt".to_owned()),
        ("SEALED_REMOTE", "dav:rclone".to_owned()),
        ("SEALED_PASSWORD", obscured("benchmark")),
    ];
    let copy = || {
        let mut command = Command::new("rclone");
        command.args(["--config", "/dev/null", "--quiet", "copy"]).arg(tree).arg("sealed:");
        run(command.envs(settings.iter().map(|(name, value)| (format!("RCLONE_CONFIG_{name}"), value))))
    };
    (copy(), copy())
}
