//! The way from sources to a snapshot.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Severity};
use super::document::{Document, Place};
use super::keys;
use super::reader::{Field, TableReader, Value};
use super::snapshot::{Account, History, Snapshot, Task};
use super::source::{CONFIG_VARIABLE, FileContent, SETTINGS_FILE, Sources, VARIABLE_AS_FILE};
use super::validate::{self, AccountNames, Environment, Parts, Patterns, Schedules, World};
use crate::names::{AccountName, TaskName};
use crate::schedule::MissedPolicy;

/// The tables that only the settings file and the variable may hold.
const SETTINGS: [&str; 7] = ["telegram", "http", "log", "history", "ai", "backup", "defaults"];

/// A valid configuration and what is unwise about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub snapshot: Snapshot,
    /// By place.
    pub warnings: Vec<Diagnostic>,
}

/// Reads everything, or tells everything that is wrong in all sources, by place; warnings are among the errors then.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<Diagnostic>> {
    let documents = documents(sources);
    let tables: Vec<_> = documents.iter().map(|(document, readable)| table(document, *readable)).collect();
    let environment = Environment::new(sources);
    let snapshot = snapshot(sources, &documents, &tables, &environment);
    let mut findings: Vec<_> = environment.into_findings().collect();
    drop(tables);
    findings.extend(documents.into_iter().flat_map(|(document, _)| document.into_findings()));
    findings.sort();
    // What is wrong in [defaults] is found once for each task that relies on it.
    findings.dedup();
    match snapshot {
        Some(snapshot) if findings.iter().all(|finding| finding.severity == Severity::Warning) => {
            Ok(Loaded { snapshot, warnings: findings })
        }
        _ => Err(findings),
    }
}

/// The texts, and whether each could be read.
pub(super) fn documents(sources: &Sources) -> Vec<(Document<'_>, bool)> {
    let files = sources.files.iter().map(|(name, content)| match content {
        FileContent::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => (Document::new(name, text), true),
            Err(error) => {
                let valid = str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                let document = Document::new(name, valid);
                document.place(valid.len()).error("this is not UTF-8 text");
                (document, false)
            }
        },
        FileContent::Unreadable(reason) => {
            let document = Document::new(name, "");
            document.start().error(format!("cannot be read: {reason}"));
            (document, false)
        }
        FileContent::Irregular => {
            let document = Document::new(name, "");
            document.start().error("this is not a regular file");
            (document, false)
        }
    });
    let variable = sources.variable(CONFIG_VARIABLE).map(|text| (Document::new(VARIABLE_AS_FILE, text), true));
    let missing = (variable.is_none() && !sources.files.contains_key(SETTINGS_FILE)).then(|| {
        let document = Document::new(SETTINGS_FILE, "");
        let hint = "create it in the workdir, with `version = 1` at its top";
        document.start().error_with_hint("the file is missing", hint.to_owned());
        (document, false)
    });
    files.chain(variable).chain(missing).collect()
}

/// The table of a document that can be read and says something.
pub(super) fn table<'a>(document: &Document<'a>, readable: bool) -> Option<Spanned<DeTable<'a>>> {
    let table = document.parse().filter(|_| readable)?;
    if table.get_ref().is_empty() {
        let hint = "to delete what was in it, delete the file";
        document.start().error_with_hint("the file defines nothing; was it emptied by mistake?", hint.to_owned());
        return None;
    }
    Some(table)
}

fn snapshot<'a>(
    sources: &Sources,
    documents: &'a [(Document<'a>, bool)],
    tables: &'a [Option<Spanned<DeTable<'a>>>],
    environment: &Environment<'_>,
) -> Option<Snapshot> {
    let has_settings_file = sources.files.contains_key(SETTINGS_FILE);
    let version_document = if has_settings_file { SETTINGS_FILE } else { VARIABLE_AS_FILE };
    let mut merged = Merged::default();
    for ((document, _), table) in documents.iter().zip(tables) {
        if let Some(table) = table {
            merged.add(document, table, document.name() == version_document);
        }
    }
    let complete = tables.iter().all(Option::is_some);
    let patterns = Patterns::default();
    let mut setting = |name| merged.settings.remove(name).map(|(table, _)| table);
    let telegram = validate::telegram(setting("telegram"), environment);
    let http = validate::http(setting("http"), environment);
    let log = validate::log(setting("log"));
    let history = validate::history(setting("history"));
    let ai = validate::ai(setting("ai"), environment);
    let backup = validate::backup(setting("backup"), environment);
    let world = World {
        defaults: setting("defaults").map(|table| Parts::read(table, &patterns)),
        accounts: AccountNames::parse(merged.accounts.keys().copied()),
        complete,
        schedules: Schedules::default(),
    };
    let accounts: Vec<_> = merged
        .accounts
        .into_iter()
        .map(|(name, (table, place))| {
            let account = validate::account(name, place, table?)?;
            Some((account.name.clone(), Arc::new(account)))
        })
        .collect();
    let tasks: Vec<_> = merged
        .tasks
        .into_iter()
        .map(|(name, (table, place))| {
            let task = world.task(name, place, Parts::read(table?, &patterns))?;
            if let Some(history) = &history {
                keep_runs_while_they_matter(&task, place, history);
            }
            Some((task.name.clone(), Arc::new(task)))
        })
        .collect();
    let telegram = telegram?;
    if telegram.api.is_none()
        && telegram.test_data_centres.is_empty()
        && !accounts.is_empty()
        && let Some((document, _)) = documents.iter().find(|(document, _)| document.name() == version_document)
    {
        let hint = "get your own from https://my.telegram.org, and set [telegram] api_id and api_hash";
        document.start().warning("no api_id and api_hash: no account can connect", hint.to_owned());
    }
    Some(Snapshot {
        digest: sources.digest(),
        telegram,
        http: http?,
        log: log?,
        history: history?,
        ai: ai?,
        backup: backup?,
        accounts: accounts.into_iter().collect::<Option<BTreeMap<AccountName, Arc<Account>>>>()?,
        tasks: tasks.into_iter().collect::<Option<BTreeMap<TaskName, Arc<Task>>>>()?,
    })
}

/// A row that is gone is a slot that looks as if it had never been claimed.
pub(super) fn keep_runs_while_they_matter(task: &Task, place: Place<'_>, history: &History) {
    if let MissedPolicy::RunOnce { within } = task.timing.missed
        && within > history.runs
    {
        let hint = "raise `runs`, or lower `within` of `missed`";
        let message = format!("task `{}` may run later than [history] `runs` keeps what was run", task.name);
        place.error_with_hint(message, hint.to_owned());
    }
}

/// A table and the place of its name.
pub(super) type Placed<'a> = (TableReader<'a>, Place<'a>);

/// An account or a task by its name; without a table, what stands there is something else.
pub(super) type Named<'a> = BTreeMap<&'a str, (Option<TableReader<'a>>, Place<'a>)>;

/// What all documents say together.
#[derive(Default)]
pub(super) struct Merged<'a> {
    pub(super) settings: BTreeMap<&'static str, Placed<'a>>,
    accounts: Named<'a>,
    pub(super) tasks: Named<'a>,
}

impl<'a> Merged<'a> {
    pub(super) fn add(&mut self, document: &'a Document<'a>, table: &'a Spanned<DeTable<'a>>, needs_version: bool) {
        let is_settings = document.name() == SETTINGS_FILE || document.name() == VARIABLE_AS_FILE;
        let mut file = TableReader::of_document(document, table, &keys::FILE);
        match file.take("version") {
            // The only number that its shape allows is 1.
            Field::Valid(value) if is_settings => drop(value.integer()),
            Field::Valid(value) => value.key_place().error(format!("`version` belongs in {SETTINGS_FILE} alone")),
            _ if needs_version => {
                let hint = "write `version = 1` at the top of the file".to_owned();
                document.start().error_with_hint("`version` is missing", hint);
            }
            _ => {}
        }
        for name in SETTINGS {
            let Field::Valid(value) = file.take(name) else { continue };
            if !is_settings {
                value
                    .key_place()
                    .error(format!("[{name}] belongs in {SETTINGS_FILE}; other files hold accounts and tasks"));
                continue;
            }
            let Some(table) = value.table() else { continue };
            match self.settings.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert((table, value.key_place()));
                }
                Entry::Occupied(first) => {
                    let message = format!("[{name}] is defined twice");
                    value.key_place().error_with_related(message, first.get().1, "first defined here");
                }
            }
        }
        merge_named(&file.take("accounts"), "account", &mut self.accounts);
        merge_named(&file.take("tasks"), "task", &mut self.tasks);
        file.finish();
    }
}

fn merge_named<'a>(field: &Field<Value<'a>>, kind: &str, into: &mut Named<'a>) {
    let Field::Valid(value) = field else { return };
    for (name, place, table) in value.named().unwrap_or_default() {
        match into.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert((table, place));
            }
            Entry::Occupied(first) => {
                let message = format!("{kind} `{name}` is defined twice");
                place.error_with_related(message, first.get().1, "first defined here");
            }
        }
    }
}
