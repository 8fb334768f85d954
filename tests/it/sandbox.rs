//! The real binary under the restrictions of the shipped unit, in bubblewrap where no systemd runs.
//!
//! The system calls that the unit forbids end the process here instead of failing, so a daemon that does its work and stops
//! as it should was denied nothing.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::kit::{Invocation, Stage, soon, tool, tools::missing};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd/tgsignd.service");
const FILTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/kit/sandbox.py");

/// Debian's interpreter, which Debian's module belongs to.
const PYTHON: &str = "/usr/bin/python3";

/// Writes the unit's filter of system calls; `None` where a program is missing that this takes.
async fn filter(to: &Path) -> Option<()> {
    tool("bwrap")?;
    tool("systemd-analyze")?;
    let made = Invocation::clean(PYTHON).args([FILTER, UNIT]).output().await;
    match made {
        Ok(made) if made.status.success() => {
            std::fs::write(to, made.stdout).unwrap();
            Some(())
        }
        Ok(made) => {
            let said = String::from_utf8_lossy(&made.stderr);
            assert!(said.contains("No module named"), "{said}");
            missing("python3-seccomp");
            None
        }
        Err(_) => {
            missing("python3");
            None
        }
    }
}

/// `program` with its arguments as the unit would start it: everything read-only but the data directory, no devices, a `/tmp`
/// of its own, a user without privileges or capabilities, the unit's limit of open files.
fn sandboxed(stage: &Stage, filter: &Path, program: &str, arguments: &[&str]) -> Invocation {
    let (workdir, datadir) = (stage.workdir(), stage.datadir());
    let script = r#"ulimit -S -n 4096; ulimit -H -n 4096; ulimit -c 0; exec bwrap --ro-bind / / --dev /dev --proc /proc \
        --tmpfs /tmp --ro-bind "$2" "$2" --bind "$3" "$3" --unshare-user --uid 1000 --gid 1000 --unshare-ipc --unshare-uts \
        --unshare-cgroup-try --cap-drop ALL --die-with-parent --new-session --seccomp 9 "${@:4}" 9<"$1""#;
    Invocation::program("bash")
        .arguments(["-c", script, "bash"])
        .arguments([filter, &workdir, &datadir])
        .arguments([program])
        .arguments(arguments)
}

/// bubblewrap stays between the test and the daemon, and passes no signals on.
fn owner(datadir: &Path) -> Pid {
    let lock = std::fs::read_to_string(datadir.join("state/lock")).unwrap();
    let id = lock.split_whitespace().nth(1).unwrap().parse().unwrap();
    Pid::from_raw(id).unwrap()
}

#[tokio::test]
async fn a_sign_in_and_a_reload_under_the_units_restrictions_are_denied_nothing() {
    let stage = Stage::new().await;
    let program = stage.datadir().with_file_name("filter");
    let Some(()) = filter(&program).await else { return };
    let task = "chat = '@quick_bot'\nsteps = [{ send = '/sign' }]";
    let (workdir, datadir) = (stage.workdir(), stage.datadir());
    let places = ["--workdir", workdir.to_str().unwrap(), "--datadir", datadir.to_str().unwrap()];
    let arguments = [&["run"][..], &places].concat();

    let mut daemon = stage.daemon_as(sandboxed(&stage, &program, env!("CARGO_BIN_EXE_tgsignd"), &arguments)).await;
    stage.task("sign", &format!("{task}\nschedule = '{}'", soon()));
    daemon.says("configuration: task sign added").await;
    let ended = daemon.run_ended("sign").await;
    assert_eq!(ended.field("outcome"), "succeeded", "{}", daemon.log.text());
    assert_eq!(daemon.metrics().await.status, 200);
    assert_eq!(stage.sent("alice", "quick"), ["/sign"]);

    kill_process(owner(&datadir), Signal::TERM).unwrap();
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
    daemon.says("stopped").await;
}

#[tokio::test]
async fn the_filter_ends_a_program_that_does_what_the_unit_forbids() {
    let stage = Stage::new().await;
    let program = stage.datadir().with_file_name("filter");
    let Some(()) = filter(&program).await else { return };
    // An unshared mount namespace, which RestrictNamespaces= is against.
    let ended = sandboxed(&stage, &program, "/usr/bin/unshare", &["-m", "true"]).ends().await;
    // Bash's way to tell of SIGSYS.
    assert_eq!(ended.code, Some(128 + 31), "{ended:?}");
    sandboxed(&stage, &program, "/usr/bin/true", &[]).ends().await.success();
}
