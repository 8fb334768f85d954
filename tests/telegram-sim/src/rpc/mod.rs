//! The methods of Telegram's API that the simulation serves.
//!
//! | module | what it holds |
//! |---|---|
//! | `auth` | login by code and password, logout |
//! | `changing` | editing and deleting |
//! | `dialogs` | the list of conversations, forum topics |
//! | `files` | downloading pictures |
//! | `membership` | joining and leaving |
//! | `history` | reading messages, searching, marking as read |
//! | `peers` | what input peers stand for, users, usernames, groups |
//! | `pressing` | pressing inline buttons, voting, telling pages who opens them |
//! | `sending` | sending |
//! | `updates` | the update state and what was missed |

mod auth;
mod changing;
mod dialogs;
mod files;
mod history;
mod membership;
mod peers;
mod pressing;
mod sending;
mod updates;

use std::pin::Pin;
use std::sync::{Arc, MutexGuard};

use grammers_tl_types::{Deserializable, Identifiable, RemoteCall, Serializable, enums, functions as f, types};
use tokio::sync::oneshot;

use crate::bot::{PressedAnswer, Stimulus, react};
use crate::centre::Inner;
use crate::log::Event;
use crate::state::{AuthKey, Login, State};
use crate::tl::{self, DC_ID, View};

/// An error as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RpcError {
    pub(crate) code: i32,
    pub(crate) name: String,
}

impl RpcError {
    fn bad_request(name: &str) -> Self {
        Self { code: 400, name: name.to_owned() }
    }

    fn unauthorised(name: &str) -> Self {
        Self { code: 401, name: name.to_owned() }
    }

    fn forbidden(name: &str) -> Self {
        Self { code: 403, name: name.to_owned() }
    }
}

/// The serialised answer of a method.
pub(crate) type RpcResult = Result<Vec<u8>, RpcError>;

/// The answer, or when it comes.
pub(crate) enum Answer {
    Ready(RpcResult),
    Later(Pin<Box<dyn Future<Output = RpcResult> + Send>>),
}

/// What a call led to.
pub(crate) struct Outcome {
    pub(crate) answer: Answer,
    /// What bots are to react to, after the answer.
    pub(crate) stimuli: Vec<(Stimulus, Option<oneshot::Sender<PressedAnswer>>)>,
}

impl From<RpcResult> for Outcome {
    fn from(result: RpcResult) -> Self {
        Self { answer: Answer::Ready(result), stimuli: Vec::new() }
    }
}

impl Outcome {
    fn later(result: impl Future<Output = RpcResult> + Send + 'static) -> Self {
        Self { answer: Answer::Later(Box::pin(result)), stimuli: Vec::new() }
    }
}

/// A call on its way through the methods.
pub(crate) struct Call<'a> {
    pub(crate) centre: &'a Arc<Inner>,
    pub(crate) key: &'a Arc<AuthKey>,
    pub(crate) account: Option<usize>,
    pub(crate) account_name: Option<Arc<str>>,
    pub(crate) connection: u64,
    pub(crate) constructor: u32,
    pub(crate) arguments: &'a [u8],
}

impl Call<'_> {
    pub(crate) fn log(&self, event: Event) {
        let time = self.centre.clock.now();
        self.centre.log.add(time, Some(self.connection), self.account_name.clone(), event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.centre.state()
    }

    /// The arguments of the method.
    fn read<F: RemoteCall + Deserializable>(&self) -> Result<F, RpcError> {
        F::from_bytes(self.arguments).map_err(|_| RpcError::bad_request("INPUT_FETCH_ERROR"))
    }
}

/// Serialises the answer of `F`, which keeps a method from answering with the wrong type.
#[expect(clippy::unnecessary_wraps, reason = "methods end with it")]
fn answer<F: RemoteCall>(value: impl Into<F::Return>) -> RpcResult
where
    F::Return: Serializable,
{
    Ok(value.into().to_bytes())
}

/// Has the bots react.
pub(crate) fn stimulate(centre: &Arc<Inner>, stimuli: Vec<(Stimulus, Option<oneshot::Sender<PressedAnswer>>)>) {
    for (stimulus, answerer) in stimuli {
        react(centre, stimulus, answerer);
    }
}

/// Carries a call out.
pub(crate) fn dispatch(call: &Call<'_>) -> Outcome {
    match call.constructor {
        f::help::GetConfig::CONSTRUCTOR_ID => answer::<f::help::GetConfig>(tl::config(call.centre.clock.unix())).into(),
        f::help::GetNearestDc::CONSTRUCTOR_ID => answer::<f::help::GetNearestDc>(types::NearestDc {
            country: "XX".to_owned(),
            this_dc: DC_ID,
            nearest_dc: DC_ID,
        })
        .into(),
        f::auth::SendCode::CONSTRUCTOR_ID => auth::send_code(call).into(),
        f::auth::ResendCode::CONSTRUCTOR_ID => auth::resend_code(call).into(),
        f::auth::SignIn::CONSTRUCTOR_ID => auth::sign_in(call).into(),
        f::account::GetPassword::CONSTRUCTOR_ID => auth::get_password(call),
        f::auth::CheckPassword::CONSTRUCTOR_ID => auth::check_password(call),
        _ => match (call.account, call.key.login()) {
            (Some(account), _) => dispatch_signed_in(call, account),
            (None, Login::Revoked(name)) => Err(RpcError::unauthorised(name)).into(),
            (None, Login::PasswordDue(_)) => Err(RpcError::unauthorised("SESSION_PASSWORD_NEEDED")).into(),
            (None, _) => Err(RpcError::unauthorised("AUTH_KEY_UNREGISTERED")).into(),
        },
    }
}

fn dispatch_signed_in(call: &Call<'_>, account: usize) -> Outcome {
    match call.constructor {
        f::messages::SendMessage::CONSTRUCTOR_ID => return sending::send_message(call, account),
        f::messages::SendMedia::CONSTRUCTOR_ID => return sending::send_media(call, account),
        f::messages::StartBot::CONSTRUCTOR_ID => return sending::start_bot(call, account),
        f::messages::GetBotCallbackAnswer::CONSTRUCTOR_ID => return pressing::press(call, account),
        f::messages::SendVote::CONSTRUCTOR_ID => return pressing::vote(call, account),
        f::messages::ForwardMessages::CONSTRUCTOR_ID => return sending::forward_messages(call, account),
        _ => {}
    }
    let result = match call.constructor {
        f::messages::RequestUrlAuth::CONSTRUCTOR_ID => pressing::request_url_auth(call, account),
        f::messages::AcceptUrlAuth::CONSTRUCTOR_ID => pressing::accept_url_auth(call, account),
        f::auth::LogOut::CONSTRUCTOR_ID => auth::log_out(call, account),
        f::channels::JoinChannel::CONSTRUCTOR_ID => membership::join(call, account),
        f::channels::LeaveChannel::CONSTRUCTOR_ID => membership::leave(call, account),
        f::users::GetUsers::CONSTRUCTOR_ID => peers::get_users(call, account),
        f::users::GetFullUser::CONSTRUCTOR_ID => peers::get_full_user(call, account),
        f::contacts::ResolveUsername::CONSTRUCTOR_ID => peers::resolve_username(call, account),
        f::messages::GetChats::CONSTRUCTOR_ID => peers::get_chats(call, account),
        f::channels::GetChannels::CONSTRUCTOR_ID => peers::get_channels(call, account),
        f::messages::EditMessage::CONSTRUCTOR_ID => changing::edit_message(call, account),
        f::messages::DeleteMessages::CONSTRUCTOR_ID => changing::delete_messages(call, account),
        f::channels::DeleteMessages::CONSTRUCTOR_ID => changing::delete_channel_messages(call, account),
        f::messages::GetHistory::CONSTRUCTOR_ID => history::get_history(call, account),
        f::messages::GetReplies::CONSTRUCTOR_ID => history::get_replies(call, account),
        f::messages::Search::CONSTRUCTOR_ID => history::search(call, account),
        f::messages::GetMessages::CONSTRUCTOR_ID => history::get_messages(call, account),
        f::channels::GetMessages::CONSTRUCTOR_ID => history::get_channel_messages(call, account),
        f::messages::ReadHistory::CONSTRUCTOR_ID => history::read_history(call, account),
        f::channels::ReadHistory::CONSTRUCTOR_ID => history::read_channel_history(call, account),
        f::messages::GetDialogs::CONSTRUCTOR_ID => dialogs::get_dialogs(call, account),
        f::messages::GetPeerDialogs::CONSTRUCTOR_ID => dialogs::get_peer_dialogs(call, account),
        f::messages::GetForumTopics::CONSTRUCTOR_ID => dialogs::get_forum_topics(call, account),
        f::messages::GetForumTopicsById::CONSTRUCTOR_ID => dialogs::get_forum_topics_by_id(call, account),
        f::updates::GetState::CONSTRUCTOR_ID => updates::get_state(call, account),
        f::updates::GetDifference::CONSTRUCTOR_ID => updates::get_difference(call, account),
        f::updates::GetChannelDifference::CONSTRUCTOR_ID => updates::get_channel_difference(call, account),
        f::upload::GetFile::CONSTRUCTOR_ID => files::get_file(call, account),
        // Acknowledged, since nobody here looks at who is online or typing.
        f::account::UpdateStatus::CONSTRUCTOR_ID => answer::<f::account::UpdateStatus>(true),
        f::messages::SetTyping::CONSTRUCTOR_ID => answer::<f::messages::SetTyping>(true),
        other => {
            let method = grammers_tl_types::name_for_id(other);
            Err(RpcError { code: 400, name: format!("METHOD_NOT_SIMULATED ({method})") })
        }
    };
    result.into()
}

fn state_of(view: &View<'_>, state: &State, account: usize, date: i32) -> enums::updates::State {
    let messages = &state.accounts[account].messages;
    let unread: i32 =
        messages.chats().map(|chat| messages.unread(chat, messages.read_until(chat), view.user_id())).sum();
    types::updates::State { pts: messages.pts(), qts: 0, date, seq: 0, unread_count: unread }.into()
}
