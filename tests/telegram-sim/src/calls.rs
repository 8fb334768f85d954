//! Calls of a connection: faults in their way, answers and subscriptions that follow.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use grammers_tl_types::Deserializable;

use crate::centre::Inner;
use crate::connection::{Connection, Ending, Kind, Outgoing, Session};
use crate::envelope;
use crate::fault::Fault;
use crate::log::Event;
use crate::rpc::{self, Answer, Call, Outcome, RpcError, RpcResult};
use crate::state::{AuthKey, Subscriber};
use crate::witness::{Moment, Stage};

impl Connection {
    pub(crate) async fn call(
        &mut self,
        key: &Arc<AuthKey>,
        request: i64,
        sequence: i32,
        body: Cow<'_, [u8]>,
    ) -> Result<(), Ending> {
        let unwrapped = envelope::unwrap_query(&body)?;
        let constructor = u32::from_bytes(&unwrapped.body)?;
        let method = grammers_tl_types::name_for_id(constructor);
        let account = key.account();
        let (account_name, fault) = {
            let mut state = self.centre.state();
            let name = account.map(|account| state.accounts[account].name.clone());
            let fault = state.faults.take(method, name.as_deref());
            (name, fault)
        };
        let centre = self.centre.clone();
        let call = Call {
            centre: &centre,
            key,
            account,
            account_name,
            connection: self.number,
            constructor,
            arguments: &unwrapped.body[4..],
        };
        if let Some(device) = unwrapped.device {
            call.log(Event::Device(device));
        }
        call.log(Event::Call { method });
        let mut moment = Moment { account: call.account_name.clone(), method, stage: Stage::Received };
        if centre.witness.see(&moment).is_break() {
            return Err(Ending("the witness ended it before it was carried out".into()));
        }
        let mut session = Session::Own;
        let mut delay = Duration::ZERO;
        match fault {
            None => {}
            Some(Fault::Error { code, name }) => {
                return self.send_answer(request, &Err(RpcError { code, name }), Session::Own).await;
            }
            Some(Fault::Drop) => return Err(Ending("fault: dropped".into())),
            Some(Fault::DropAfter) => {
                carried_out_in_vain(&centre, rpc::dispatch(&call));
                return Err(Ending("fault: dropped after the call was carried out".into()));
            }
            Some(Fault::Ignore) => return Ok(()),
            Some(Fault::BadMessage(code)) => {
                return self.bad_message(request, sequence, code).await;
            }
            Some(Fault::BadSalt) => {
                return self.bad_salt(request, sequence, key.renew_salt()).await;
            }
            Some(Fault::Transport(code)) => return self.transport_error(code, "fault").await,
            Some(Fault::Freeze) => std::future::pending().await,
            Some(Fault::WrongSession) => session = Session::Wrong,
            Some(Fault::Delay(wait)) => delay = wait,
            Some(Fault::GarbageUpdate) => {
                const NOBODYS_CONSTRUCTOR: u32 = 0xdead_beef;
                self.send(&NOBODYS_CONSTRUCTOR.to_le_bytes(), Kind::Content, Session::Own).await?;
            }
            Some(Fault::NewSession) => {
                self.announce_session(request, key.salt.load(Ordering::Relaxed)).await?;
            }
        }
        let outcome = rpc::dispatch(&call);
        moment.stage = Stage::CarriedOut;
        if centre.witness.see(&moment).is_break() {
            carried_out_in_vain(&centre, outcome);
            return Err(Ending("the witness ended it before it was answered".into()));
        }
        moment.stage = Stage::Answered;
        let Outcome { answer, stimuli } = outcome;
        if unwrapped.wants_updates
            && let Some(account) = key.account()
        {
            self.subscribe(account);
        }
        match answer {
            Answer::Ready(result) if delay.is_zero() => {
                self.send_answer(request, &result, session).await?;
                if centre.witness.see(&moment).is_break() {
                    rpc::stimulate(&centre, stimuli);
                    return Err(Ending("the witness ended it after the answer".into()));
                }
            }
            Answer::Ready(result) => {
                self.answer_later(request, session, delay, std::future::ready(result), moment);
            }
            Answer::Later(result) => self.answer_later(request, session, delay, result, moment),
        }
        // Only now: a bot is never faster than the answer to the message it reacts to.
        rpc::stimulate(&centre, stimuli);
        Ok(())
    }

    fn answer_later(
        &self,
        request: i64,
        session: Session,
        delay: Duration,
        result: impl Future<Output = RpcResult> + Send + 'static,
        moment: Moment,
    ) {
        let outbox = self.outbox.clone();
        tokio::spawn(async move {
            let result = result.await;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            // The connection may have ended meanwhile.
            let _ = outbox.send(Outgoing::Answer { request, result, session, moment }).await;
        });
    }

    /// Updates of the account go to this connection from now on.
    fn subscribe(&mut self, account: usize) {
        let mut state = self.centre.state();
        if let Some(before) = self.subscribed_to.replace(account)
            && before != account
        {
            state.accounts[before].subscribers.retain(|subscriber| subscriber.connection != self.number);
        }
        let subscribers = &mut state.accounts[account].subscribers;
        if !subscribers.iter().any(|subscriber| subscriber.connection == self.number) {
            subscribers.push(Subscriber { connection: self.number, outbox: self.outbox.clone() });
        }
    }
}

/// The call had its effect, and nobody is there to be answered.
fn carried_out_in_vain(centre: &Arc<Inner>, Outcome { answer, stimuli }: Outcome) {
    if let Answer::Later(result) = answer {
        tokio::spawn(result);
    }
    rpc::stimulate(centre, stimuli);
}
