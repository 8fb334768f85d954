//! One configuration after the other: files that did not change are not parsed again.
//!
//! Only files that hold nothing but tasks are left out. What a task means depends, besides its own table, on the settings
//! file, the environment and the names of the accounts, so a change there loads everything anew. So does every error, which
//! may have to do with several files: the diagnostics are always those of [`load`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use super::diagnostic::{Diagnostic, Severity};
use super::document::Document;
use super::load::{Loaded, Merged, documents, keep_runs_while_they_matter, load, table};
use super::snapshot::{Snapshot, Task};
use super::source::{SETTINGS_FILE, Sources, VARIABLE_AS_FILE};
use super::validate::{AccountNames, Parts, Patterns, Schedules, World};
use crate::names::TaskName;

/// Loads a workdir again and again.
#[derive(Debug, Default)]
pub struct Loader {
    /// The reading that was valid last.
    before: Option<(Arc<Sources>, Loaded)>,
}

impl Loader {
    /// What [`load`] says of these sources.
    pub fn load(&mut self, sources: &Arc<Sources>) -> Result<Loaded, Vec<Diagnostic>> {
        let again = self.before.as_ref().and_then(|(before, loaded)| update(before, loaded, sources));
        let loaded = match again {
            Some(loaded) => loaded,
            None => load(sources)?,
        };
        self.before = Some((Arc::clone(sources), loaded.clone()));
        Ok(loaded)
    }
}

/// The configuration of `after`, known from `loaded` and the files that differ; `None` when all files have to be looked at.
fn update(before: &Sources, loaded: &Loaded, after: &Sources) -> Option<Loaded> {
    if before.environment != after.environment {
        return None;
    }
    let (gone, come) = (differing(before, after), differing(after, before));
    let old = tasks_of(before, &gone, &loaded.snapshot)?;
    let new = tasks_of(after, &come, &loaded.snapshot)?;
    let mut again = loaded.clone();
    let tasks = &mut again.snapshot.tasks;
    for name in old.tasks.keys() {
        tasks.remove(name);
    }
    for (name, task) in new.tasks {
        // Defined twice: whoever reads both files knows where.
        if tasks.insert(name, task).is_some() {
            return None;
        }
    }
    again.warnings.retain(|warning| !gone.contains(warning.file.as_str()));
    again.warnings.extend(new.warnings);
    again.warnings.sort();
    again.warnings.dedup();
    again.snapshot.digest = after.digest();
    Some(again)
}

/// The names of the files of `one` that the other lacks, or has with another content.
fn differing<'a>(one: &'a Sources, other: &Sources) -> BTreeSet<&'a str> {
    let mut others = other.files.iter().peekable();
    let mut names = BTreeSet::new();
    // Both are in the order of their names.
    for (name, content) in &one.files {
        while others.next_if(|(other, _)| *other < name).is_some() {}
        if others.next_if(|(other, its)| *other == name && *its == content).is_none() {
            names.insert(name.as_str());
        }
    }
    names
}

struct Part {
    tasks: BTreeMap<TaskName, Arc<Task>>,
    warnings: Vec<Diagnostic>,
}

/// The tasks of some files, when these hold nothing else, have no errors and say nothing about the settings file.
fn tasks_of(sources: &Sources, names: &BTreeSet<&str>, snapshot: &Snapshot) -> Option<Part> {
    if names.contains(SETTINGS_FILE) {
        return None;
    }
    let wanted = |name: &str| names.contains(name) || name == SETTINGS_FILE;
    let files = sources.files.iter().filter(|(name, _)| wanted(name));
    let files = files.map(|(name, content)| (name.clone(), content.clone())).collect();
    let sources = Sources { files, environment: sources.environment.clone() };
    let documents = documents(&sources);
    let tables = documents.iter().map(|(document, readable)| table(document, *readable)).collect::<Option<Vec<_>>>()?;
    let tasks = tasks_in(&documents, &tables, snapshot)?;
    drop(tables);
    let warnings: Vec<_> = documents.into_iter().flat_map(|(document, _)| document.into_findings()).collect();
    let harmless = |finding: &Diagnostic| finding.severity == Severity::Warning && !is_foundation(&finding.file);
    warnings.iter().all(harmless).then_some(Part { tasks, warnings })
}

fn tasks_in<'a>(
    documents: &'a [(Document<'a>, bool)],
    tables: &'a [Spanned<DeTable<'a>>],
    snapshot: &Snapshot,
) -> Option<BTreeMap<TaskName, Arc<Task>>> {
    let mut merged = Merged::default();
    for ((document, _), table) in documents.iter().zip(tables) {
        let holds_tasks_alone = table.get_ref().keys().all(|key| key.get_ref() == "tasks");
        if !holds_tasks_alone && !is_foundation(document.name()) {
            return None;
        }
        merged.add(document, table, false);
    }
    let patterns = Patterns::default();
    let defaults = merged.settings.remove("defaults").map(|(table, _)| Parts::read(table, &patterns));
    let accounts = AccountNames::of(snapshot.accounts.keys());
    let world = World { defaults, accounts, complete: true, schedules: Schedules::default() };
    let tasks = merged.tasks.into_iter().filter(|(_, (_, place))| !is_foundation(place.document().name()));
    tasks
        .map(|(name, (table, place))| {
            let task = world.task(name, place, Parts::read(table?, &patterns))?;
            keep_runs_while_they_matter(&task, place, &snapshot.history);
            Some((task.name.clone(), Arc::new(task)))
        })
        .collect()
}

/// Whether other files depend on it.
fn is_foundation(file: &str) -> bool {
    file == SETTINGS_FILE || file == VARIABLE_AS_FILE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;
    use crate::config::source::FileContent;

    const SETTINGS: [&str; 4] = [
        "version = 1\n[accounts.a]\n[accounts.b]\n[defaults]\naccounts = ['a']\ntimezone = 'UTC'\nchat = 1\nsteps = [{ send = 'x' }]\n",
        "version = 1\n[accounts.a]\n[accounts.b]\n[defaults]\naccounts = ['b']\nschedule = '0 6 1 * 5'\ntimezone = 'UTC'\nchat = 1\nsteps = [{ send = 'y' }]\n",
        "version = 1\n[accounts.a]\n[defaults]\ntimezone = 'Asia/Tokyo'\nchat = 1\nsteps = [{ send = 'x' }]\n[tasks.t0]\nschedule = '06:00'\n",
        "version = 1\n[accounts.a]\nbroken",
    ];

    const TASKS: [&str; 10] = [
        "[tasks.tN]\nschedule = '06:00'\n",
        "[tasks.tN]\nschedule = '07:00'\n",
        "[tasks.tN]\nschedule = '07:00' # the same in other words\n",
        "[tasks.tN]\nschedule = '0 6 1 * 5'\n",
        "[tasks.tN]\nschedule = '06:00'\n[tasks.more]\nschedule = '08:00'\n",
        "[tasks.tN]\nschedule = '06:00'\naccounts = ['c']\n",
        "[tasks.tN]\nschedule = '06:00'\n[accounts.c]\n",
        "[tasks.tN]\n",
        "",
        "[tasks.tN]\nschedule = 'never'\n",
    ];

    fn said(result: &Result<Loaded, Vec<Diagnostic>>) -> String {
        format!("{result:#?}")
    }

    proptest! {
        #[test]
        fn whatever_is_edited_it_says_what_a_new_loading_says(
            edits in prop::collection::vec((0_usize..8, 0_usize..40, any::<bool>()), 1..30),
        ) {
            let mut sources = Sources::default();
            let settings = |index: usize| FileContent::Bytes(SETTINGS[index].into());
            sources.files.insert(SETTINGS_FILE.to_owned(), settings(0));
            let mut loader = Loader::default();
            for (file, edit, read) in edits {
                // Mostly tasks that are valid.
                let text = TASKS[if edit < 30 { edit % 5 } else { edit % 10 }];
                let name = format!("f{file}.toml");
                match (file, edit) {
                    (0, _) => drop(sources.files.insert(SETTINGS_FILE.to_owned(), settings(edit % 4))),
                    (_, 39) => drop(sources.environment.insert("TG_API_ID".to_owned(), "5".to_owned())),
                    (_, 35..) => drop(sources.files.remove(&name)),
                    _ => {
                        let text = text.replace("tN", &format!("t{file}"));
                        sources.files.insert(name, FileContent::Bytes(text.into()));
                    }
                }
                if read {
                    let shared = Arc::new(sources.clone());
                    prop_assert_eq!(said(&loader.load(&shared)), said(&load(&shared)));
                }
            }
        }
    }

    #[test]
    fn a_task_that_was_not_touched_is_not_made_anew() {
        let file = |name: &str, text: &str| (name.to_owned(), FileContent::Bytes(text.into()));
        let task = |name: &str, time: &str| format!("[tasks.{name}]\nschedule = '{time}'\n");
        let sources = |time: &str| {
            let files = [
                file(SETTINGS_FILE, SETTINGS[0]),
                file("kept.toml", &task("kept", "06:00")),
                file("edited.toml", &task("edited", time)),
            ];
            Arc::new(Sources { files: files.into(), environment: BTreeMap::new() })
        };
        let mut loader = Loader::default();
        let mut load = |time| loader.load(&sources(time)).unwrap().snapshot;
        let (first, second) = (load("06:00"), load("07:00"));
        assert!(Arc::ptr_eq(&first.tasks["kept"], &second.tasks["kept"]));
        assert_ne!(first.tasks["edited"].fingerprint, second.tasks["edited"].fingerprint);
        assert_ne!(first.digest, second.digest);
    }
}
