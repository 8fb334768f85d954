//! The whole daemon against a simulated Telegram data centre, without any account.
//!
//! `cargo run --release --example demo` stays up, to be played with; `-- --once` ends after the runs, with 0 only when every
//! one ended as scripted.

#![allow(clippy::disallowed_methods, reason = "outside of the pure modules")]

mod stage;

use std::io::Write;
use std::process::ExitCode;

use stage::{Stage, StageError};
use tgsignd::script::Outcome;

/// How every run has to end, for each of the two accounts.
const SCRIPTED: [(&str, Outcome); 3] =
    [("points", Outcome::Succeeded), ("forum", Outcome::AlreadyDone), ("movies", Outcome::Failed)];

/// The first argument that makes this program the daemon: the demo starts itself as `tgsignd`.
const AS_DAEMON: &str = "--as-tgsignd";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|argument| argument == AS_DAEMON).is_some() {
        return tgsignd::cli::main(std::iter::once("tgsignd".into()).chain(arguments));
    }
    let once = match arguments.next() {
        None => false,
        Some(argument) if argument == "--once" => true,
        Some(argument) => {
            eprintln!("unknown argument {}; there is only --once", argument.display());
            return ExitCode::from(2);
        }
    };
    let played =
        tokio::runtime::Runtime::new().map_err(StageError::from).and_then(|runtime| runtime.block_on(play(once)));
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn play(once: bool) -> Result<(), StageError> {
    let mut stage = Stage::build().await?;
    say(&format!("A simulated Telegram data centre listens on {}.\n", stage.data_centre()));
    say("Two accounts sign in, as `tgsignd login` does with a person at the terminal:");
    stage.login("alice", "12345\n").await?;
    stage.login("bob", "12345\ncorrect horse\n").await?;
    say("\nThe daemon starts; its log follows. In a few seconds the cron expressions fire.\n");
    stage.write_tasks()?;
    stage.start_daemon().await?;
    let runs = stage.runs(SCRIPTED.len() * 2).await?;

    say("\nWhat the bots said, and what that means:\n");
    let mut wrong = Vec::new();
    for run in &runs {
        let expected = SCRIPTED.iter().find(|(task, _)| *task == run.key.task.as_str()).map(|(_, outcome)| *outcome);
        let words = tgsignd::kernel::evidence_line(&run.evidence).unwrap_or_default();
        say(&format!("  {:7} {:6} {:13} {words}", run.key.task, run.key.account, run.outcome));
        if expected != Some(run.outcome) {
            wrong.push(format!("{}: {} instead of {expected:?}", run.key, run.outcome));
        }
    }
    if let Some(proven) = runs.iter().find(|run| run.outcome == Outcome::Succeeded) {
        say("\nThe transcript of one of them (`tgsignd logs RUN`):\n");
        stage.command(&["logs", proven.run_id.as_str()]).await?;
    }
    say("\nPrometheus would read:\n");
    for line in
        stage.metrics().await?.lines().filter(|line| line.starts_with("tgsignd_runs_total") && !line.ends_with(" 0"))
    {
        say(&format!("  {line}"));
    }
    if !wrong.is_empty() {
        return Err(StageError::NotAsScripted(wrong.join("\n")));
    }
    lose_the_disk_and_go_on(&mut stage).await?;
    say(&format!("\n{}", stage.places()));
    if once {
        stage.stop_daemon().await?;
        stage.remove();
        say("Everything went as scripted.");
    } else {
        say("Edit tasks.toml there and watch the log. Ctrl-C ends the demo.\n");
        stage.stay().await?;
    }
    Ok(())
}

/// The data directory is deleted; the WebDAV server has all that is needed to go on.
async fn lose_the_disk_and_go_on(stage: &mut Stage) -> Result<(), StageError> {
    say(
        "\nNow the disk is lost: the daemon is stopped and its data directory deleted. On the WebDAV server there is:\n",
    );
    stage.lose_the_disk().await?;
    for file in stage.remote_files() {
        say(&format!("  {file}"));
    }
    say("\nThe daemon starts on an empty disk:\n");
    stage.start_daemon().await?;
    let restored = stage.runs(SCRIPTED.len() * 2).await?;
    say(&format!(
        "\nIt remembers all {} runs. Nobody signs in again; the points bot is asked once more:\n",
        restored.len()
    ));
    stage.command(&["once", "points", "--account", "alice"]).await?;
    let runs = stage.runs(restored.len() + 1).await?;
    match runs.last().map(|run| run.outcome) {
        Some(Outcome::AlreadyDone) => Ok(()),
        other => Err(StageError::NotAsScripted(format!("after the restore: {other:?} instead of already_done"))),
    }
}

/// A reader that closed the pipe has seen enough.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
