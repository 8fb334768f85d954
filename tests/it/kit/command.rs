//! `tgsignd …`, run to its end.

use std::ffi::OsStr;
use std::process::{Output, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::within_limit;

/// Names of variables that mean something to the daemon or to how it logs.
fn is_ours(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["TGSIGND_", "TG_", "OPENAI_"].iter().any(|prefix| name.starts_with(prefix))
        || ["PORT", "NOTIFY_SOCKET", "JOURNAL_STREAM", "NO_COLOR", "RUST_LOG"].contains(&&*name)
}

/// A command line that has not been started.
pub(crate) struct Invocation {
    pub(super) command: Command,
    stdin: Option<String>,
}

/// Reads until a text has come.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), text: &mut String, wanted: &str) {
    let mut bytes = [0; 1024];
    while !text.contains(wanted) {
        let count = stream.read(&mut bytes).await.unwrap();
        assert!(count > 0, "the end came before {wanted:?}: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Invocation {
    /// The real binary, without any of the variables that the test's own environment may hold.
    pub(crate) fn new<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Self {
        Self::program(crate::PROGRAM).arguments(arguments)
    }

    /// Any program, the same way.
    pub(crate) fn program(program: impl AsRef<OsStr>) -> Self {
        let mut command = Self::clean(program);
        command.stdin(Stdio::null());
        Self { command, stdin: None }
    }

    /// Any program, without those variables.
    pub(crate) fn clean(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.kill_on_drop(true);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        command
    }

    /// The command line as a shell reads it; nothing in it needs quotes.
    pub(crate) fn line(&self) -> String {
        let command = self.command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn arguments<I: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = I>) -> Self {
        self.command.args(arguments);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same, started by another program.
    pub(crate) fn through(self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let inner = self.command.as_std();
        Self::program(program).arguments(arguments).arguments([inner.get_program()]).arguments(inner.get_args())
    }

    /// What a person would type.
    pub(crate) fn typing(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// Runs it to its end.
    pub(crate) async fn ends(mut self) -> Ended {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.stdin.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self.command.spawn().unwrap();
        if let (Some(text), Some(mut stdin)) = (self.stdin, child.stdin.take()) {
            // A command that ends early reads no more.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
        let description = format!("the end of {:?}", self.command.as_std());
        let Output { status, stdout, stderr } = within_limit(child.wait_with_output(), || description).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Ended {
    /// What it printed, if it ended with 0.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// It ended with `code` and said each of these to standard error.
    #[track_caller]
    pub(crate) fn fails_with(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in says {
            assert!(self.stderr.contains(text), "{text:?} is missing: {self:?}");
        }
    }
}
