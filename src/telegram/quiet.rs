//! What changes a chat without a message in it.

use grammers_tl_types as tl;

use super::connection::Connection;
use super::error::CallError;
use super::history;
use super::peer::Peer;
use crate::script::Quiet;

/// Does it; `messages` are our own ones of this run.
pub async fn perform(connection: &Connection, peer: Peer, quiet: Quiet, messages: &[i32]) -> Result<(), CallError> {
    match quiet {
        Quiet::ReadHistory => read_history(connection, peer).await,
        Quiet::Delete if messages.is_empty() => Ok(()),
        Quiet::Delete => history::delete(connection, peer, messages.to_vec()).await,
        Quiet::Join => {
            let channel = peer.input_channel().ok_or_else(not_a_channel)?;
            match connection.call(&tl::functions::channels::JoinChannel { channel }).await? {
                tl::enums::messages::ChatInviteJoinResult::Ok(_) => Ok(()),
                // A mini app decides who may join; it is not opened.
                tl::enums::messages::ChatInviteJoinResult::WebView(_) => {
                    Err(CallError::Refused { code: 400, name: "JOIN_NEEDS_A_MINI_APP".to_owned() })
                }
            }
        }
        Quiet::Leave => {
            let channel = peer.input_channel().ok_or_else(not_a_channel)?;
            connection.call(&tl::functions::channels::LeaveChannel { channel }).await.map(drop)
        }
    }
}

async fn read_history(connection: &Connection, peer: Peer) -> Result<(), CallError> {
    if let Some(channel) = peer.input_channel() {
        let request = tl::functions::channels::ReadHistory { channel, max_id: 0 };
        connection.call(&request).await.map(drop)
    } else {
        let request = tl::functions::messages::ReadHistory { peer: peer.input(), max_id: 0 };
        connection.call(&request).await.map(drop)
    }
}

/// Basic groups and people are not joined by themselves: somebody invites.
fn not_a_channel() -> CallError {
    CallError::Refused { code: 400, name: "CHANNEL_INVALID".to_owned() }
}
