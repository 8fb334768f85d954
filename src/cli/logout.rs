//! `logout`: ends the session of an account at Telegram, and deletes it here.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::arguments::LogoutArgs;
use super::login::{reach, tell_daemon};
use super::output::print;
use super::{Cli, CliError, Exit, block_on, workdir};
use crate::daemon::account::Reach;
use crate::ledger::{DirectoryLock, LockError};
use crate::names::AccountName;
use crate::telegram::connection::Connection;
use crate::telegram::error::CallError;
use crate::telegram::login;
use crate::telegram::network::Network;
use crate::telegram::session::SessionFile;

/// How long the running daemon may take to let go of the session; a run under way takes longer.
const RELEASE: Duration = Duration::from_secs(5);

/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Signs the account out. When that cannot be done, the session stays as it was.
pub(super) fn run(cli: &Cli, arguments: &LogoutArgs) -> Result<Exit, CliError> {
    let snapshot = workdir::snapshot(cli)?;
    let name = &arguments.account;
    let Some(account) = snapshot.accounts.get(name) else {
        return Err(CliError::new(Exit::Usage, format!("there is no account {name} in the workdir")));
    };
    let reach = reach(&snapshot, account)?;
    let datadir = workdir::datadir(cli);
    let sessions = datadir.join("sessions");
    let place = SessionFile::path(&sessions, name.as_str());
    // The daemon finds no session there any more, and nothing that stops this process can leave two users of one.
    let leaving = place.with_extension("session-logout");
    match fs::rename(&place, &leaving) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound && leaving.exists() => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CliError::new(
                Exit::Failure,
                format!("{name} is not signed in: there is no {}", place.display()),
            ));
        }
        Err(error) => return Err(CliError::new(Exit::Failure, format!("{}: {error}", place.display()))),
    }
    block_on(async {
        let told = tell_daemon(&datadir, name).await;
        let done = sign_out(&sessions, &leaving, name, &reach).await;
        if let Err(refused) = done {
            fs::rename(&leaving, &place)
                .map_err(|error| CliError::new(Exit::Failure, format!("{}: {error}", place.display())))?;
            tell_daemon(&datadir, name).await;
            return Err(CliError::new(refused.exit, format!("{name} stays signed in: {}", refused.message)));
        }
        let removed = fs::remove_file(&leaving);
        removed.map_err(|error| CliError::new(Exit::Failure, format!("{}: {error}", leaving.display())))?;
        let _ = fs::remove_file(place.with_extension("peers"));
        print(&format!("{name} is signed out, and its session is deleted.\n"))?;
        if told {
            print("The running daemon uses it no longer.\n")?;
        }
        Ok(Exit::Success)
    })
}

async fn sign_out(sessions: &Path, leaving: &Path, name: &AccountName, reach: &Reach) -> Result<(), CliError> {
    let _lock = take(&sessions.join(format!("{name}.lock"))).await?;
    let session = SessionFile::open_at(leaving.to_owned(), name.as_str(), &reach.data_centres)
        .map_err(|error| CliError::new(Exit::Failure, error.to_string()))?;
    let signed_out = async {
        let connection = Connection::new(session, reach.settings.clone(), &Network::here()).await?;
        login::sign_out(&connection).await
    };
    signed_out.await.map_err(|error| {
        let exit = if error.is_uncertain() || matches!(error, CallError::FloodWait(_)) {
            Exit::TryAgain
        } else {
            Exit::Failure
        };
        CliError::new(exit, error.to_string())
    })
}

/// The right to use the session.
async fn take(file: &Path) -> Result<DirectoryLock, CliError> {
    let end = tokio::time::Instant::now() + RELEASE;
    loop {
        match DirectoryLock::acquire(file) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { .. }) if tokio::time::Instant::now() < end => tokio::time::sleep(LOOK).await,
            Err(error @ LockError::Held { .. }) => return Err(CliError::new(Exit::TryAgain, error.to_string())),
            Err(error) => return Err(CliError::new(Exit::Failure, error.to_string())),
        }
    }
}
