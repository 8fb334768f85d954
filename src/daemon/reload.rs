//! From the workdir to a configuration the daemon can run.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::{self, Account, Severity, Snapshot, Sources};
use crate::daemon::account::Reach;
use crate::daemon::workdir::{self, WorkdirError};
use crate::telegram::connection::Settings;
use crate::telegram::data_centre::DataCentres;

/// The `api_id` that simulated data centres are told when the workdir names none; they accept any.
const SIMULATED_API_ID: i32 = 1;

/// A configuration that can be run.
#[derive(Debug)]
pub struct Accepted {
    /// The configuration.
    pub snapshot: Snapshot,
    /// What it was made from.
    pub sources: Sources,
    /// What is unwise about it, one line each.
    pub warnings: Vec<String>,
}

/// What is wrong, one line a finding, with its position and without source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected(pub Vec<String>);

/// Reads and checks the workdir as a whole.
pub fn read(workdir: &Path, environment: BTreeMap<String, String>) -> Result<Accepted, Rejected> {
    accept(workdir::read(workdir, environment))
}

/// Checks what was read.
pub fn accept(sources: Result<Sources, WorkdirError>) -> Result<Accepted, Rejected> {
    let sources = sources.map_err(|error| Rejected(vec![error.to_string()]))?;
    let loaded = config::load(&sources).map_err(|findings| {
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
        Rejected(errors.map(ToString::to_string).collect())
    })?;
    if !loaded.snapshot.accounts.is_empty() && api_id(&loaded.snapshot).is_none() {
        let advice = "api_id and api_hash are missing: get your own at https://my.telegram.org and write them under \
                      [telegram] in tgsignd.toml, or set TG_API_ID and TG_API_HASH";
        return Err(Rejected(vec![advice.to_owned()]));
    }
    let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
    Ok(Accepted { snapshot: loaded.snapshot, sources, warnings })
}

/// The `api_id` to connect with; `None` when the user has to get one first.
pub fn api_id(snapshot: &Snapshot) -> Option<i32> {
    let simulated = !snapshot.telegram.test_data_centres.is_empty();
    snapshot.telegram.api.as_ref().map(|api| api.id).or(simulated.then_some(SIMULATED_API_ID))
}

/// How an account is reached; `None` when the user has to get an `api_id` first.
pub fn reach(snapshot: &Snapshot, account: &Account) -> Option<Reach> {
    let data_centres = DataCentres::from(&snapshot.telegram);
    Some(Reach {
        settings: Settings {
            api_id: api_id(snapshot)?,
            proxy: account.proxy.clone().or_else(|| snapshot.telegram.proxy.clone()),
            use_ipv6: data_centres.use_ipv6(),
        },
        data_centres,
        connect: snapshot.telegram.connect,
        ai: snapshot.ai.clone(),
        post_gap: account.post_gap,
    })
}
