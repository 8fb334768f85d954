//! `tgsignd-sim try`, with the real daemon.

use std::path::{Path, PathBuf};

use telegram_sim::trial::{Trial, TrialError, play};

fn flows(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/flows").join(name)
}

fn trial(task: &str, bot: &str) -> Trial {
    let (tgsignd, workdir) = (PathBuf::from(env!("CARGO_BIN_EXE_tgsignd")), flows(""));
    Trial { tgsignd, task: task.to_owned(), workdir, bot: flows(bot) }
}

#[tokio::test]
async fn a_flow_is_tried_and_reads_like_a_chat() {
    let by_file = trial(flows("panel.toml").to_str().unwrap(), "panel.bot.toml");
    let tried = play(&by_file).await.unwrap();
    assert_eq!((tried.code, tried.complaints.as_str()), (0, ""), "{tried:?}");
    for line in ["we:  /start", "we:  press [", "bot: ", "succeeded: "] {
        assert!(tried.transcript.contains(line), "{line:?} is missing: {}", tried.transcript);
    }
    // The bot of another flow does not answer to this name: what is wrong is said.
    let mismatched = play(&trial("panel", "dice.bot.toml")).await.unwrap();
    assert_eq!(mismatched.code, 1);
    assert!(
        mismatched.transcript.contains("there is no user, bot, group or channel @flow_panel_bot"),
        "{mismatched:?}"
    );
}

#[tokio::test]
async fn a_task_is_found_by_its_name_in_a_workdir() {
    // The file's own name, and that of an account, do not matter: the only task of the file is meant.
    let tried = play(&trial("keyboard", "keyboard.bot.toml")).await.unwrap();
    assert_eq!(tried.code, 0, "{tried:?}");
    let error = play(&trial("keybord", "keyboard.bot.toml")).await.unwrap_err();
    assert!(matches!(&error, TrialError::Task(text) if text.contains("there is no task keybord")), "{error}");
    let error = play(&trial("keyboard", "no-such-file.toml")).await.unwrap_err();
    assert!(matches!(error, TrialError::File { .. }), "{error}");
}
