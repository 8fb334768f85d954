//! What commands print: for pipes, for shells, for `man`.

use std::process::Stdio;

use crate::kit::{Invocation, Stage, tool};

/// Alice with a run behind her and another one planned every hour.
async fn stage() -> (Stage, String) {
    let stage = Stage::new().await;
    stage.task("quick", "schedule = '0 * * * *'\nchat = '@quick_bot'\nsteps = [{ send = '/sign' }]");
    stage.tgsignd(&["once", "quick"]).ends().await.success();
    let run = stage.runs().await.remove(0).run_id.to_string();
    (stage, run)
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure() {
    let (stage, run) = stage().await;
    let commands: [&[&str]; 12] = [
        &["plan", "--next", "40d"],
        &["plan", "--next", "40d", "--format", "json"],
        &["schema"],
        &["man"],
        &["completions", "bash"],
        &["logs"],
        &["logs", &run],
        &["logs", &run, "--format", "json"],
        &["status"],
        &["status", "--format", "json"],
        &["check"],
        &["--help"],
    ];
    for arguments in commands {
        let line = stage.tgsignd(arguments).line();
        // The status of the command itself, not that of `head`.
        let script = format!("set -o pipefail; {line} | head -n 1");
        let said = Invocation::clean("bash").args(["-c", &script]).stdin(Stdio::null()).output().await.unwrap();
        assert!(said.status.success(), "{script}: {said:?}");
        assert!(said.stderr.is_empty(), "{script}: {said:?}");
        assert_eq!(said.stdout.split(|byte| *byte == b'\n').count() - 1, 1, "{script}");
        // Nobody reads at all.
        let script = format!("{line} | true; exit ${{PIPESTATUS[0]}}");
        let said = Invocation::clean("bash").args(["-c", &script]).stdin(Stdio::null()).output().await.unwrap();
        assert!(said.status.success() && said.stderr.is_empty(), "{script}: {said:?}");
    }
}

#[tokio::test]
async fn the_manual_page_is_one() {
    let stage = Stage::new().await;
    let page = stage.tgsignd(&["man"]).ends().await.success();
    for word in ["TGSIGND", "SYNOPSIS", "COMMANDS", "once", "login"] {
        assert!(page.contains(word), "{word}");
    }
    let file = stage.workdir().join("tgsignd.1");
    std::fs::write(&file, page).unwrap();
    for (program, arguments) in
        [("mandoc", &["-T", "lint", "-W", "error"][..]), ("groff", &["-man", "-T", "utf8", "-ww", "-z"])]
    {
        let Some(program) = tool(program) else { continue };
        let said = Invocation::clean(&program).args(arguments).arg(&file).output().await.unwrap();
        assert!(said.status.success() && said.stderr.is_empty(), "{}: {said:#?}", program.display());
        assert!(said.stdout.is_empty(), "{}", String::from_utf8_lossy(&said.stdout));
    }
}

#[tokio::test]
async fn shells_understand_the_completions() {
    let stage = Stage::new().await;
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let text = stage.tgsignd(&["completions", shell]).ends().await.success();
        assert!(text.contains("tgsignd") && text.contains("login"), "{shell}");
        let Some(program) = tool(shell) else { continue };
        let file = stage.workdir().join(shell);
        std::fs::write(&file, text).unwrap();
        let said = Invocation::clean(program).arg(check).arg(&file).output().await.unwrap();
        assert!(said.status.success() && said.stderr.is_empty(), "{shell}: {said:?}");
    }
}

#[tokio::test]
async fn the_version_is_told() {
    let stage = Stage::new().await;
    let told = stage.tgsignd(&["--version"]).ends().await.success();
    assert_eq!(told, format!("tgsignd {}\n", env!("CARGO_PKG_VERSION")));
}
