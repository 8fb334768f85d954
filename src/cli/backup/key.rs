//! `backup key`

use serde::Serialize;
use zeroize::Zeroize;

use super::desk;
use crate::backup::keys::{DerivedKeys, Identity};
use crate::backup::sync::Keys;
use crate::cli::output::{json_line, print};
use crate::cli::{Cli, CliError, Exit, Format, workdir};
use crate::config::secret::Secret;
use crate::daemon::{backup_setup, datadir};
use crate::ledger::SqliteLedger;

const VARIABLE: &str = "TG_SIGNER_BACKUP_ENCRYPTION_KEY";

#[derive(Serialize)]
struct Report<'a> {
    /// Nobody knew it before.
    new: bool,
    identity: Option<&'a str>,
    recipients: Vec<String>,
    signing_key: Option<String>,
}

pub(super) fn run(cli: &Cli) -> Result<Exit, CliError> {
    let (sources, snapshot) = desk::configuration(cli)?;
    let wrong = |error: &dyn std::fmt::Display| CliError::new(Exit::Configuration, error.to_string());
    if let Some(settings) = &snapshot.backup {
        let secrets = backup_setup::secrets(settings).map_err(|error| wrong(&error))?;
        let instance = SqliteLedger::read_instance(&datadir::database(&workdir::datadir(cli)));
        let keys = Keys::new(settings, secrets.key.as_ref(), instance.as_ref()).map_err(|error| wrong(&error))?;
        return tell(cli, &keys);
    }
    if let Some(text) = sources.environment.get(VARIABLE) {
        let derived = DerivedKeys::from_text(&Secret::new(text.clone())).map_err(|error| wrong(&error))?;
        return tell_derived(cli, &derived, false);
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| CliError::new(Exit::Failure, format!("no randomness: {error}")))?;
    let fresh = Identity::from_secret(&secret).map_err(|error| wrong(&error))?;
    secret.zeroize();
    let derived = DerivedKeys::from_text(&fresh.to_text()).map_err(|error| wrong(&error))?;
    tell_derived(cli, &derived, true)
}

fn tell(cli: &Cli, keys: &Keys) -> Result<Exit, CliError> {
    let identity = keys.identity.as_ref().map(Identity::to_text);
    let report = Report {
        new: false,
        identity: identity.as_ref().map(|identity| identity.expose().as_str()),
        recipients: keys.recipients.iter().map(ToString::to_string).collect(),
        signing_key: keys.signing.as_ref().map(|key| key.public().to_string()),
    };
    show(cli, &report)
}

fn tell_derived(cli: &Cli, keys: &DerivedKeys, new: bool) -> Result<Exit, CliError> {
    let identity = keys.identity.to_text();
    let report = Report {
        new,
        identity: Some(identity.expose()),
        recipients: vec![keys.identity.recipient().to_string()],
        signing_key: Some(keys.signing.public().to_string()),
    };
    show(cli, &report)
}

/// In the form of a file of `age-keygen`, so that `tgsignd backup key > key.txt` makes one for `age -d -i key.txt`.
fn show(cli: &Cli, report: &Report) -> Result<Exit, CliError> {
    if cli.format == Format::Json {
        print(&json_line(report)?)?;
        return Ok(Exit::Success);
    }
    let mut text = String::new();
    if report.new {
        text.push_str(
            "# A new key; nothing uses it yet. Keep it in a file with mode 600 that is not in the workdir, a copy of it \
             off this host, and write\n#   identity = { file = \"/etc/credstore/tgsignd-identity\" }\n#   recipients = [",
        );
        text.push_str(&report.recipients.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", "));
        text.push_str(&format!("]\n# into [backup], or set {VARIABLE} to the last line.\n"));
    }
    for recipient in &report.recipients {
        text.push_str(&format!("# recipient: {recipient}\n"));
    }
    if let Some(key) = &report.signing_key {
        text.push_str(&format!("# signing key, for `trusted` elsewhere: {key}\n"));
    }
    match report.identity {
        Some(identity) => text.push_str(&format!("{identity}\n")),
        None => text.push_str("# The key that opens the backup is not on this host.\n"),
    }
    print(&text)?;
    Ok(Exit::Success)
}
