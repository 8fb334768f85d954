//! Finding the chat a task names.

use grammers_tl_types as tl;
use tracing::warn;

use super::connection::Connection;
use super::error::CallError;
use super::peer::Peer;
use crate::config::ChatRef;

/// Dialogs looked through for a numeric id, in pages of [`PAGE`].
const MOST_DIALOGS: usize = 1000;
const PAGE: i32 = 100;

/// Why a chat cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The call itself failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Nobody has this name.
    #[error("there is no user, bot, group or channel @{0}")]
    NoSuchName(String),
    /// The account does not know the id.
    #[error(
        "chat {0} is not among the account's newest {MOST_DIALOGS} dialogs: open it once in a Telegram app, or use its @name"
    )]
    NotInDialogs(i64),
}

/// The chat behind `chat`: from the session if it was seen before, else from Telegram.
pub async fn find(connection: &Connection, chat: &ChatRef) -> Result<Peer, ChatError> {
    match chat {
        ChatRef::Username(name) => match connection.session().known_peers().username(name) {
            Some(peer) => Ok(peer),
            None => resolve(connection, name).await,
        },
        ChatRef::Id(id) => match connection.session().known_peers().by_id(*id) {
            Some(peer) => Ok(peer),
            None => search_dialogs(connection, *id).await,
        },
    }
}

/// Drops what the session remembers of a chat, after Telegram called it invalid.
pub fn forget(connection: &Connection, chat: &ChatRef) {
    match chat {
        ChatRef::Username(name) => keep(connection.session().known_peers().remember_username(name, None)),
        // The dialog list would give the same id and hash again.
        ChatRef::Id(_) => {}
    }
}

async fn resolve(connection: &Connection, name: &str) -> Result<Peer, ChatError> {
    let request = tl::functions::contacts::ResolveUsername { username: name.to_owned(), referer: None };
    let resolved = match connection.call(&request).await {
        Ok(tl::enums::contacts::ResolvedPeer::Peer(resolved)) => resolved,
        Err(error) if error.is("USERNAME_NOT_OCCUPIED") || error.is("USERNAME_INVALID") => {
            return Err(ChatError::NoSuchName(name.to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let found = peers_of(&resolved.users, &resolved.chats)
        .find(|peer| peer.is(&resolved.peer))
        .ok_or_else(|| ChatError::NoSuchName(name.to_owned()))?;
    keep(connection.session().known_peers().remember_username(name, Some(found)));
    Ok(found)
}

/// A full disk is no reason to leave a run undone.
fn keep(written: std::io::Result<()>) {
    if let Err(error) = written {
        warn!(%error, "what Telegram said of a chat could not be kept; it will be asked again");
    }
}

fn peers_of<'a>(users: &'a [tl::enums::User], chats: &'a [tl::enums::Chat]) -> impl Iterator<Item = Peer> + use<'a> {
    users.iter().filter_map(Peer::from_user).chain(chats.iter().filter_map(Peer::from_chat))
}

async fn search_dialogs(connection: &Connection, wanted: i64) -> Result<Peer, ChatError> {
    let mut request = tl::functions::messages::GetDialogs {
        exclude_pinned: false,
        folder_id: None,
        offset_date: 0,
        offset_id: 0,
        offset_peer: tl::enums::InputPeer::Empty,
        limit: PAGE,
        hash: 0,
    };
    let mut seen = 0;
    while seen < MOST_DIALOGS {
        let (dialogs, messages, chats, users, complete) = match connection.call(&request).await? {
            tl::enums::messages::Dialogs::Dialogs(all) => (all.dialogs, all.messages, all.chats, all.users, true),
            tl::enums::messages::Dialogs::Slice(part) => (part.dialogs, part.messages, part.chats, part.users, false),
            tl::enums::messages::Dialogs::NotModified(_) => break,
        };
        let peers: Vec<Peer> = peers_of(&users, &chats).collect();
        keep(connection.session().known_peers().remember(peers.iter().copied()));
        if let Some(found) = peers.iter().find(|peer| peer.marked_id() == wanted) {
            return Ok(*found);
        }
        seen += dialogs.len();
        let last = messages.iter().rev().find_map(super::messages::id_and_date);
        let (Some((offset_id, offset_date)), false) = (last, complete || dialogs.is_empty()) else { break };
        let progress = (request.offset_id, request.offset_date) != (offset_id, offset_date);
        (request.offset_id, request.offset_date) = (offset_id, offset_date);
        request.offset_peer = last_peer(&dialogs, &peers);
        request.exclude_pinned = true;
        if !progress {
            break;
        }
    }
    Err(ChatError::NotInDialogs(wanted))
}

fn last_peer(dialogs: &[tl::enums::Dialog], peers: &[Peer]) -> tl::enums::InputPeer {
    let last = dialogs.iter().rev().find_map(|dialog| match dialog {
        tl::enums::Dialog::Dialog(dialog) => Some(&dialog.peer),
        _ => None,
    });
    last.and_then(|last| peers.iter().find(|peer| peer.is(last)))
        .map_or(tl::enums::InputPeer::Empty, |peer| peer.input())
}
