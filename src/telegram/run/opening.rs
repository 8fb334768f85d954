//! Gets the page of a button, once.

use std::time::Duration;

use grammers_tl_types as tl;
use tokio::time::Instant;

use super::converse::Run;
use super::plan::{Note, Recorder, RunError};
use crate::script::{Input, Link, Page};
use crate::telegram::error::CallError;
use crate::telegram::pages::{self, Opened, PageError};

/// How long a page may take, when the attempt has that long.
const PAGE_LIMIT: Duration = Duration::from_secs(30);

impl<R: Recorder> Run<'_, R> {
    pub(super) async fn open(
        &mut self,
        step: usize,
        message_id: i32,
        link: &Link,
        page: &Page,
    ) -> Result<Input, RunError> {
        let url = match self.destination(message_id, link, page).await {
            Ok(url) => url,
            Err(reason) => return Ok(Input::NotDone { step, reason }),
        };
        let left = (self.started + self.plan.timeout).saturating_duration_since(Instant::now());
        match pages::open(&url, page, self.plan.reach, left.min(PAGE_LIMIT)).await {
            Ok(Opened { host, status }) => {
                self.recorder.note(Note::Remark(&format!("{host} answered {status}")));
                self.pressed(step, message_id, None).await
            }
            Err(error) => {
                self.recorder.note(Note::Remark(&error.to_string()));
                Ok(match error {
                    PageError::NotDone(reason) => Input::NotDone { step, reason },
                    PageError::NotKnown(_) => Input::Lost { step },
                })
            }
        }
    }

    /// The address that is asked: the link's own, or the one under which Telegram vouches for the account.
    async fn destination(&mut self, message_id: i32, link: &Link, page: &Page) -> Result<String, String> {
        pages::check(&link.url, page, self.plan.reach)?;
        let Some(button_id) = link.login.filter(|_| page.authorise) else { return Ok(link.url.clone()) };
        let accepted = self.authorise(message_id, button_id).await.map_err(|error| {
            self.recorder.note(Note::Trouble(&error));
            format!("Telegram did not vouch for the account: {error}")
        })?;
        Ok(accepted.unwrap_or_else(|| link.url.clone()))
    }

    /// Telegram's signed address (<https://core.telegram.org/api/url-authorization>); `None` when the button has no login
    /// any more. The bot may not write to the account because of it, and learns no phone number.
    async fn authorise(&self, message_id: i32, button_id: i32) -> Result<Option<String>, CallError> {
        let peer = Some(self.chat.peer.input());
        let request = tl::functions::messages::RequestUrlAuth {
            peer: peer.clone(),
            msg_id: Some(message_id),
            button_id: Some(button_id),
            url: None,
            in_app_origin: None,
        };
        let answer = match self.connection.call(&request).await? {
            tl::enums::UrlAuthResult::Request(_) => {
                let request = tl::functions::messages::AcceptUrlAuth {
                    write_allowed: false,
                    share_phone_number: false,
                    peer,
                    msg_id: Some(message_id),
                    button_id: Some(button_id),
                    url: None,
                    match_code: None,
                };
                self.connection.call(&request).await?
            }
            answer => answer,
        };
        Ok(match answer {
            tl::enums::UrlAuthResult::Accepted(accepted) => accepted.url,
            tl::enums::UrlAuthResult::Request(_) | tl::enums::UrlAuthResult::Default => None,
        })
    }
}
