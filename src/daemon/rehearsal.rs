//! A dry run: everything up to the first byte that would change anything.

use serde::{Deserialize, Serialize};

use super::account::Account;
use crate::config::Task;
use crate::names::{AccountName, TaskName};
use crate::script::{DEFAULT_WITHIN, Step, Verb};
use crate::telegram::chats;
use crate::telegram::peer::Peer;

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// Who would do it.
    pub account: AccountName,
    /// What.
    pub task: TaskName,
    /// The user that the account's session belongs to.
    pub user_id: i64,
    /// The chat as the task writes it.
    pub chat: String,
    /// What Telegram says it is.
    pub found: String,
    /// The marked id of the chat.
    pub chat_id: i64,
    /// What would be done, in order.
    pub steps: Vec<String>,
}

/// Connects, finds out who the account is and where the chat is, and sends nothing.
pub(super) async fn rehearse(account: &mut Account, task: &Task) -> Result<Rehearsal, String> {
    account.connect().await.map_err(|error| error.to_string())?;
    let connection = account.connection.as_ref().ok_or("there is no connection")?;
    let user_id = connection.session().my_id().ok_or("the session does not say whose it is: sign in again")?;
    let peer = chats::find(connection, &task.chat).await.map_err(|error| error.to_string())?;
    Ok(Rehearsal {
        account: account.name.clone(),
        task: task.name.clone(),
        user_id,
        chat: task.chat.to_string(),
        found: kind(peer, task.topic),
        chat_id: peer.marked_id(),
        steps: task.script.steps.iter().filter(|step| !matches!(step.verb, Verb::Jump(_))).map(describe).collect(),
    })
}

fn describe(step: &Step) -> String {
    let Step { verb, within, otherwise, place } = step;
    let within = match verb {
        verb if verb.listens() => {
            format!(", for at most {}s", within.unwrap_or(DEFAULT_WITHIN).as_secs())
        }
        _ => within.map(|within| format!(", for at most {}s", within.as_secs())).unwrap_or_default(),
    };
    let otherwise = if otherwise.is_some() { "; the script goes on without it" } else { "" };
    format!("{place}. {verb}{within}{otherwise}")
}

fn kind(peer: Peer, topic: Option<i32>) -> String {
    let what = match peer {
        Peer::User { bot: true, .. } => "a bot",
        Peer::User { .. } => "a person",
        Peer::Group { .. } => "a group",
        Peer::Channel { broadcast: true, .. } => "a channel",
        Peer::Channel { .. } => "a supergroup",
    };
    match topic {
        Some(topic) => format!("{what}, topic {topic}"),
        None => what.to_owned(),
    }
}
