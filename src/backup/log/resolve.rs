//! What a person's decision does when the log and this data directory disagree.

use super::survey::{Head, Problem, Side, Survey};
use crate::backup::manifest::Generation;

/// Which side is kept; the other one stays on the server until retention takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// What is here becomes the newest generation.
    Local,
    /// What is there is restored here. Of a fork the manifest has to be named.
    Remote(Option<String>),
}

/// Where the next generation goes, so that it ends a fork or stands above what it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Above {
    /// Its number.
    pub generation: Generation,
    /// The manifests it follows, and which have to be the newest ones still when it is committed.
    pub previous: Vec<String>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Nothing disagrees.
    Nothing,
    /// Commit what is here; see [`super::Plan::above`].
    Commit(Above),
    /// Restore this generation and make it the position; then commit if that is needed to end a fork.
    Restore(Box<Head>, Option<Above>),
}

/// Why nothing can be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// One of several has to be named.
    #[error("several manifests claim the newest generation; name the one to keep:\n{}", .0.join("\n"))]
    NameOne(Vec<String>),
    /// The name is not one of them.
    #[error("{0} is not one of the newest manifests; `tgsignd backup list` shows them")]
    NotThere(String),
    /// What was chosen cannot be restored.
    #[error("{name} cannot be restored: {problem}. Keep the local side, or restore an older generation by its number")]
    Unusable {
        /// The manifest.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing to restore.
    #[error("there is no backup on the server; keep the local side")]
    NothingThere,
    /// The last possible number is in use.
    #[error("generation numbers are used up on this server; choose another remote path")]
    UsedUp,
}

/// What `keep` does about `survey`.
pub fn resolve(survey: &Survey, keep: &Keep) -> Result<Resolution, ResolveError> {
    match (survey, keep) {
        (Survey::Empty | Survey::Head(_) | Survey::Landed(_), _) => Ok(Resolution::Nothing),
        (_, Keep::Local) => above(survey).map(Resolution::Commit),
        (Survey::Foreign(head, _), Keep::Remote(choice)) => match choice {
            Some(name) if *name != head.name => Err(ResolveError::NotThere(name.clone())),
            _ => Ok(Resolution::Restore(Box::new(head.clone()), None)),
        },
        (Survey::Fork { sides, .. } | Survey::RolledBack { found: sides, .. }, Keep::Remote(choice)) => {
            let head = choose(sides, choice.as_deref())?;
            Ok(Resolution::Restore(Box::new(head), Some(above(survey)?)))
        }
        (Survey::Damaged { name, problem, .. }, Keep::Remote(_)) => Err(unusable(name, problem)),
    }
}

fn choose(sides: &[Side], choice: Option<&str>) -> Result<Head, ResolveError> {
    let side = match (choice, sides) {
        (None, []) => return Err(ResolveError::NothingThere),
        (None, [only]) => only,
        (None, _) => return Err(ResolveError::NameOne(names(sides))),
        (Some(name), _) => {
            sides.iter().find(|side| side.name == name).ok_or_else(|| ResolveError::NotThere(name.to_owned()))?
        }
    };
    let manifest = side.head.as_ref().map_err(|problem| unusable(&side.name, problem))?;
    Ok(Head { name: side.name.clone(), manifest: (**manifest).clone() })
}

fn unusable(name: &str, problem: &Problem) -> ResolveError {
    ResolveError::Unusable { name: name.to_owned(), problem: problem.to_string() }
}

fn names(sides: &[Side]) -> Vec<String> {
    sides.iter().map(|side| side.name.clone()).collect()
}

/// The place above everything that `survey` shows.
fn above(survey: &Survey) -> Result<Above, ResolveError> {
    let (newest, previous) = match survey {
        Survey::Foreign(head, _) | Survey::Head(head) | Survey::Landed(head) => {
            (Some(head.manifest.generation), vec![head.name.clone()])
        }
        Survey::Fork { generation, sides } => (Some(*generation), names(sides)),
        Survey::Damaged { generation, name, .. } => (Some(*generation), vec![name.clone()]),
        Survey::RolledBack { expected, found } => (Some(expected.manifest.generation), names(found)),
        Survey::Empty => (None, vec![]),
    };
    let generation = newest.map_or(Some(Generation::FIRST), Generation::next).ok_or(ResolveError::UsedUp)?;
    Ok(Above { generation, previous })
}
