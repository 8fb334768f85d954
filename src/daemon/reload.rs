//! From the workdir to a configuration the daemon can run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Account, Loader, Severity, Snapshot, Sources};
use crate::daemon::account::Reach;
use crate::daemon::workdir::{self, Reread, WorkdirError};
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
    pub sources: Arc<Sources>,
    /// What is unwise about it, one line each.
    pub warnings: Vec<String>,
}

/// What is wrong, one line a finding, with its position and without source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected(pub Vec<String>);

/// Reads and checks a workdir again and again; files that did not change are neither read nor parsed twice.
#[derive(Debug, Default)]
pub struct Reader {
    files: workdir::Reader,
    loader: Loader,
}

impl Reader {
    /// Reads and checks the workdir as a whole.
    pub fn read(
        &mut self,
        workdir: &Path,
        environment: BTreeMap<String, String>,
        reread: &Reread,
    ) -> Result<Accepted, Rejected> {
        let sources = self.files.read(workdir, environment, reread);
        self.accept(sources.map_err(|error| Rejected(vec![error.to_string()]))?)
    }

    fn accept(&mut self, sources: Arc<Sources>) -> Result<Accepted, Rejected> {
        let loaded = self.loader.load(&sources).map_err(|findings| {
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
}

/// Reads and checks the workdir once.
pub fn read(workdir: &Path, environment: BTreeMap<String, String>) -> Result<Accepted, Rejected> {
    Reader::default().read(workdir, environment, &Reread::Everything)
}

/// Checks what was read.
pub fn accept(sources: Result<Sources, WorkdirError>) -> Result<Accepted, Rejected> {
    let sources = sources.map_err(|error| Rejected(vec![error.to_string()]))?;
    Reader::default().accept(Arc::new(sources))
}

/// What the environment says alone, without any file; `None` when even that has errors.
pub fn of_environment(environment: &BTreeMap<String, String>) -> Option<Snapshot> {
    let mut environment = environment.clone();
    environment.entry("TGSIGND_CONFIG".to_owned()).or_insert_with(|| "version = 1".to_owned());
    let sources = Sources { files: BTreeMap::new(), environment };
    Loader::default().load(&Arc::new(sources)).ok().map(|loaded| loaded.snapshot)
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
