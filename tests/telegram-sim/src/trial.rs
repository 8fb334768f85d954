//! A task tried out: the real `tgsignd`, for one run, against a scripted bot on this machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use toml::{Table, Value};

use crate::centre::DataCentre;
use crate::world::{Account, World, WorldError};

/// The account that performs the task, when the bot's file has none of this name. Groups name it as a member.
const ACCOUNT: &str = "alice";
const PHONE: &str = "+10000000001";
const CODE: &str = "12345";

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The daemon's program.
    pub tgsignd: PathBuf,
    /// The name of a task of `workdir`, or a TOML file that holds one task.
    pub task: String,
    /// Where tasks are looked for by name.
    pub workdir: PathBuf,
    /// The world file with the bot, its groups if it needs some, and no accounts.
    pub bot: PathBuf,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// The conversation, as `tgsignd logs` shows it.
    pub transcript: String,
    /// What `tgsignd once` said on its error output, if anything.
    pub complaints: String,
    /// The exit code of `tgsignd once`: 0 when the sign-in was done.
    pub code: u8,
}

/// Why nothing could be tried.
#[derive(Debug, Error)]
pub enum TrialError {
    /// A file.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file is no TOML.
    #[error("{}: {}", .path.display(), .error.message())]
    Toml {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<toml::de::Error>,
    },
    /// The bot's file.
    #[error("{}: {error}", .path.display())]
    World {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        error: WorldError,
    },
    /// The task.
    #[error("{0}")]
    Task(String),
    /// The simulation or the program could not be started.
    #[error("{what}: {error}")]
    Start {
        /// Which of them.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The program refused the configuration or the login.
    #[error("{0}")]
    Refused(String),
}

/// Tries the task. Nothing outside a temporary directory is written, and nothing but loopback is talked to.
pub async fn play(trial: &Trial) -> Result<Tried, TrialError> {
    let (name, mut configuration) = configuration(trial)?;
    let centre = DataCentre::start(world(&trial.bot)?)
        .await
        .map_err(|error| TrialError::Start { what: "the simulated data centre".to_owned(), error })?;
    let telegram: Table = toml::from_str(&centre.daemon_config()).unwrap_or_default();
    configuration.insert("telegram".to_owned(), telegram.into());
    let place =
        tempfile::tempdir().map_err(|error| TrialError::Start { what: "a temporary directory".into(), error })?;
    let (workdir, datadir) = (place.path().join("workdir"), place.path().join("data"));
    let file = workdir.join("tgsignd.toml");
    let wrong = |path: &Path| {
        let path = path.to_owned();
        |error| TrialError::File { path, error }
    };
    fs::create_dir(&workdir).map_err(wrong(&workdir))?;
    fs::write(&file, configuration.to_string()).map_err(wrong(&file))?;
    let tgsignd = |arguments: &[&str]| {
        let mut command = Command::new(&trial.tgsignd);
        // Nothing of the caller's own configuration, except the models.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("TG_") || text.starts_with("TGSIGND_") || text == "PORT" {
                command.env_remove(&name);
            }
        }
        command.arg("--workdir").arg(&workdir).arg("--datadir").arg(&datadir).args(arguments).kill_on_drop(true);
        command
    };
    let failed = |error| TrialError::Start { what: trial.tgsignd.display().to_string(), error };
    let login = run(tgsignd(&["login", ACCOUNT]), &format!("{CODE}\n")).await.map_err(failed)?;
    if !login.status.success() {
        return Err(TrialError::Refused(String::from_utf8_lossy(&login.stderr).trim().to_owned()));
    }
    let once = run(tgsignd(&["--format", "json", "once", &name]), "").await.map_err(failed)?;
    let said = String::from_utf8_lossy(&once.stdout);
    let run_id = said.lines().find_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(record.get("run_id")?.as_str()?.to_owned())
    });
    let complaints = String::from_utf8_lossy(&once.stderr).trim().to_owned();
    let Some(run_id) = run_id else {
        return Err(TrialError::Refused(format!("{complaints}{said}")));
    };
    let logs = run(tgsignd(&["logs", &run_id]), "").await.map_err(failed)?;
    centre.stop();
    let code = once.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(Tried { transcript: String::from_utf8_lossy(&logs.stdout).into_owned(), complaints, code })
}

/// The program beside this one, else the one that `PATH` finds.
#[must_use]
pub fn beside_us() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("tgsignd")));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from("tgsignd"))
}

async fn run(mut command: Command, typed: &str) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // It may end without reading.
        let _ = input.write_all(typed.as_bytes()).await;
    }
    child.wait_with_output().await
}

fn world(file: &Path) -> Result<World, TrialError> {
    let text = fs::read_to_string(file).map_err(|error| TrialError::File { path: file.to_owned(), error })?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let account = Account::new(ACCOUNT, PHONE, 1001).first_name("Alice").code(CODE);
    World::from_toml_with(&text, directory, account).map_err(|error| TrialError::World { path: file.to_owned(), error })
}

/// The name of the task, and a configuration that holds it and what it needs.
fn configuration(trial: &Trial) -> Result<(String, Table), TrialError> {
    let given = Path::new(&trial.task);
    let files = if given.extension().is_some_and(|extension| extension == "toml") {
        vec![given.to_owned()]
    } else {
        files(&trial.workdir)?
    };
    let (mut tasks, mut defaults, mut models) = (Table::new(), Table::new(), None);
    for path in files {
        let text = fs::read_to_string(&path).map_err(|error| TrialError::File { path: path.clone(), error })?;
        let mut table: Table =
            toml::from_str(&text).map_err(|error| TrialError::Toml { path: path.clone(), error: Box::new(error) })?;
        if let Some(Value::Table(found)) = table.remove("tasks") {
            tasks.extend(found);
        }
        if let Some(Value::Table(found)) = table.remove("defaults") {
            defaults.extend(found);
        }
        models = models.or(table.remove("ai"));
    }
    let name = match trial.task.as_str() {
        name if tasks.contains_key(name) => name.to_owned(),
        _ if tasks.len() == 1 => tasks.keys().next().cloned().unwrap_or_default(),
        name => {
            let known: Vec<&str> = tasks.keys().map(String::as_str).collect();
            return Err(TrialError::Task(format!("there is no task {name}; there are: {}", known.join(", "))));
        }
    };
    let Some(Value::Table(mut task)) = tasks.remove(&name) else {
        return Err(TrialError::Task(format!("{name} is no table")));
    };
    task.insert("accounts".to_owned(), Value::Array(vec![ACCOUNT.into()]));
    defaults.remove("accounts");
    // A flow that is only being written may not say yet when it runs.
    defaults.entry("timezone").or_insert_with(|| "UTC".into());
    if !["schedule", "between", "every"].iter().any(|key| task.contains_key(*key)) {
        defaults.entry("schedule").or_insert_with(|| "@daily".into());
    }
    let nested = |key: &str, value: Table| Table::from_iter([(key.to_owned(), Value::Table(value))]);
    let mut configuration = Table::from_iter([
        ("version".to_owned(), Value::Integer(1)),
        ("accounts".to_owned(), nested(ACCOUNT, Table::from_iter([("phone".to_owned(), PHONE.into())])).into()),
        ("defaults".to_owned(), defaults.into()),
        ("tasks".to_owned(), nested(&name, task).into()),
    ]);
    configuration.extend(models.map(|models| ("ai".to_owned(), models)));
    Ok((name, configuration))
}

/// `*.toml` and `*/*.toml`, in order.
fn files(workdir: &Path) -> Result<Vec<PathBuf>, TrialError> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, TrialError> {
        let wrong = |error| TrialError::File { path: folder.to_owned(), error };
        let entries = fs::read_dir(folder).map_err(wrong)?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(wrong)?;
        paths.sort();
        Ok(paths)
    };
    let mut found = Vec::new();
    for path in list(workdir)? {
        if path.is_dir() {
            found.extend(list(&path)?);
        } else {
            found.push(path);
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    Ok(found)
}
