//! `login`: phone, code and two-step password at a terminal, or line by line from a pipe.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use super::arguments::LoginArgs;
use super::output::print;
use super::{Cli, CliError, Exit, block_on, workdir};
use crate::config::{Account, Snapshot};
use crate::daemon::account::Reach;
use crate::daemon::control::{Client, Reply, Request};
use crate::daemon::{datadir, reload, secrets};
use crate::names::AccountName;
use crate::telegram::connection::Connection;
use crate::telegram::login::{self, LoginError, Prompt};
use crate::telegram::network::Network;
use crate::telegram::session::SessionFile;

/// Signs the account in and puts its session in place.
pub(super) fn run(cli: &Cli, arguments: &LoginArgs) -> Result<Exit, CliError> {
    let snapshot = workdir::snapshot(cli)?;
    let name = &arguments.account;
    let Some(account) = snapshot.accounts.get(name) else {
        let known: Vec<&str> = snapshot.accounts.keys().map(crate::names::AccountName::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message = format!("there is no account {name}; the workdir has: {known}. Add a table [accounts.{name}]");
        return Err(CliError::new(Exit::Usage, message));
    };
    let reach = reach(&snapshot, account)?;
    let hash = match &snapshot.telegram.api {
        Some(api) => secrets::resolve(&api.hash)
            .map_err(|error| CliError::new(Exit::Configuration, format!("[telegram] api_hash: {error}")))?
            .expose()
            .clone(),
        // A simulated data centre accepts any.
        None => "simulated".to_owned(),
    };
    let datadir = workdir::datadir(cli);
    datadir::prepare(&datadir).map_err(|error| CliError::new(Exit::Failure, error.to_string()))?;
    let place = SessionFile::path(&datadir.join("sessions"), name.as_str());
    let hint = account.phone.as_ref().map(|phone| phone.expose().clone());

    block_on(async {
        // The session in use stays until the new one has signed in.
        let unfinished = place.with_extension("session-login");
        let session = SessionFile::create(unfinished.clone(), name.as_str(), &reach.data_centres);
        let connection = Connection::new(std::sync::Arc::clone(&session), reach.settings.clone(), &Network::here())
            .await
            .map_err(|error| CliError::new(Exit::Failure, error.to_string()))?;
        let mut terminal = Terminal { hint };
        let done = login::login(&connection, reach.settings.api_id, &hash, &mut terminal).await;
        drop(connection);
        let signed_in = match done {
            Ok(signed_in) => signed_in,
            Err(error) => {
                let _ = std::fs::remove_file(&unfinished);
                return Err(explain(&error));
            }
        };
        session.rename(&place).map_err(|error| CliError::new(Exit::Failure, error.to_string()))?;
        print(&format!("{name} is signed in as {} (id {}).\n", signed_in.first_name, signed_in.user_id))?;
        if tell_daemon(&datadir, name).await {
            print("The running daemon uses the new session from now on.\n")?;
        }
        Ok(Exit::Success)
    })
}

/// How the account reaches Telegram.
pub(super) fn reach(snapshot: &Snapshot, account: &Account) -> Result<Reach, CliError> {
    reload::reach(snapshot, account).ok_or_else(|| {
        let message = "api_id and api_hash are missing: get your own at https://my.telegram.org and write them under \
                       [telegram] in tgsignd.toml, or set TG_API_ID and TG_API_HASH";
        CliError::new(Exit::Configuration, message)
    })
}

/// Has the running daemon close the account's connection and look at its session anew; whether there is one.
pub(super) async fn tell_daemon(datadir: &Path, name: &AccountName) -> bool {
    let request = Request::Reconnect { account: name.clone() };
    match Client::call(datadir, &request).await {
        Ok(Some(mut client)) => matches!(client.next().await, Ok(Some(Reply::Done))),
        _ => false,
    }
}

fn explain(error: &LoginError) -> CliError {
    let exit = match error {
        LoginError::Call(call) if call.is_uncertain() => Exit::TryAgain,
        _ => Exit::Failure,
    };
    CliError::new(exit, format!("not signed in: {error}"))
}

struct Terminal {
    /// The phone number that the workdir names; offered once.
    hint: Option<String>,
}

impl Terminal {
    /// Empty answers are asked for again.
    fn ask(question: &str, read: impl Fn() -> io::Result<String>) -> io::Result<String> {
        loop {
            let mut stderr = io::stderr().lock();
            write!(stderr, "{question}: ")?;
            stderr.flush()?;
            drop(stderr);
            let answer = read()?;
            if !io::stdin().is_terminal() {
                // Nobody typed the line break that ends the question.
                eprintln!();
            }
            if !answer.trim().is_empty() {
                return Ok(answer);
            }
        }
    }
}

fn read_line() -> io::Result<String> {
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Prompt for Terminal {
    fn phone(&mut self) -> io::Result<String> {
        match self.hint.take() {
            Some(phone) => {
                eprintln!("Signing in with the phone number of the workdir.");
                Ok(phone)
            }
            None => Self::ask("Phone number with country code, such as +49…", read_line),
        }
    }

    fn code(&mut self, way: &str) -> io::Result<String> {
        Self::ask(&format!("Code, sent by {way}"), read_line)
    }

    fn password(&mut self, hint: Option<&str>) -> io::Result<String> {
        let hint = hint.map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
        let hidden = io::stdin().is_terminal();
        Self::ask(&format!("Two-step password{hint}"), || if hidden { rpassword::read_password() } else { read_line() })
    }

    fn say(&mut self, text: &str) {
        eprintln!("{text}");
    }
}
