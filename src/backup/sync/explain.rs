//! Surveys in words, for errors, alarms and `backup list`.

use crate::backup::log::{Relation, Side, Survey};
use crate::backup::manifest::Manifest;

/// What the log means, in one sentence without a full stop.
pub fn survey(survey: &Survey) -> String {
    match survey {
        Survey::Empty => "there is no backup on the server".to_owned(),
        Survey::Head(head) | Survey::Landed(head) => {
            format!("the newest generation on the server is ours: {}", manifest(&head.manifest))
        }
        Survey::Foreign(head, relation) => {
            let who = match relation {
                Relation::NothingKnownHere => "this data directory was never backed up or restored here",
                Relation::OtherInstance => "another data directory wrote it",
                Relation::LaterBoot(_) => "a later start on another host wrote it",
                Relation::SameInstance => "this data directory is older than its backup, or was copied",
            };
            format!("the newest generation on the server is not ours ({}): {who}", manifest(&head.manifest))
        }
        Survey::Fork { generation, sides } => {
            format!(
                "{} manifests claim generation {generation}, so two hosts committed at once: {}",
                sides.len(),
                sides_of(sides)
            )
        }
        Survey::RolledBack { expected, found } => {
            let ours = manifest(&expected.manifest);
            let found = if found.is_empty() { "nothing".to_owned() } else { sides_of(found) };
            format!("our newest generation is gone from the server ({ours}), and what is there is {found}")
        }
        Survey::Damaged { generation, name, problem } => {
            format!("generation {generation} on the server cannot be used ({name}): {problem}")
        }
    }
}

/// A generation in a few words.
pub fn manifest(manifest: &Manifest) -> String {
    let time = manifest.time.format("%Y-%m-%d %H:%M:%S UTC");
    format!("generation {} of {time} by {}", manifest.generation, manifest.writer)
}

fn sides_of(sides: &[Side]) -> String {
    let side = |side: &Side| match &side.head {
        Ok(head) => format!("{} ({})", manifest(head), side.name),
        Err(problem) => format!("{}: {problem}", side.name),
    };
    sides.iter().map(side).collect::<Vec<_>>().join("; ")
}
