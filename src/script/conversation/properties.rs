//! Whatever comes in whatever order, a conversation acts at most once a step, proves what it claims, and ends.

#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::time::Duration;

use proptest::prelude::*;

use super::super::message::Sender;
use super::super::outcome::Outcome;
use super::super::protocol::{JournalMark, Refusal};
use super::super::step::{OutcomeRules, Proof};
use super::super::verdict::EvidenceSource;
use super::tests::{bot, click, edited, expect, send, with_buttons};
use super::*;

const TEXTS: [&str; 7] = ["签到成功 +5", "今日已签到", "签到失败", "你好", "", "积分 3", "签到成功后可得"];

fn verbs() -> impl Strategy<Value = Verb> {
    prop_oneof![
        Just(send("/checkin")),
        Just(click("签到")),
        Just(click("/./")),
        Just(expect("积分")),
        (0..40u64).prop_map(|seconds| Verb::Wait(Duration::from_secs(seconds))),
    ]
}

fn scripts() -> impl Strategy<Value = Script> {
    (prop::collection::vec(verbs(), 1..6), any::<bool>(), any::<bool>()).prop_map(|(verbs, delivered, own)| {
        let steps = verbs.into_iter().map(|verb| Step { verb, within: None }).collect();
        let success = if own { vec![Pattern::parse("积分").unwrap()] } else { Vec::new() };
        let proof = if delivered { Proof::Delivered } else { Proof::Bot };
        Script { steps, rules: OutcomeRules { success, ..OutcomeRules::default() }, proof }
    })
}

fn messages() -> impl Strategy<Value = ChatMessage> {
    let sender = prop_oneof![
        4 => Just(Sender::Peer { id: 7, is_bot: true }),
        1 => Just(Sender::Peer { id: 8, is_bot: false }),
        1 => Just(Sender::AnonymousAdmin),
        1 => Just(Sender::Channel),
    ];
    (1..60i32, prop::sample::select(&TEXTS[..]), sender, any::<bool>(), prop::option::of(0..30i64), any::<bool>())
        .prop_map(|(id, text, from, buttons, edit, outgoing)| {
            let message = bot(id, text);
            let message = if buttons { with_buttons(message, &["签到", "退出"]) } else { message };
            let message = match edit {
                Some(after) => edited(message.clone(), message.date - 5 + after),
                None => message,
            };
            ChatMessage { from, outgoing, ..message }
        })
}

fn popups() -> impl Strategy<Value = Option<Popup>> {
    prop::option::of(prop::sample::select(&TEXTS[..]).prop_map(|text| Popup {
        text: Some(text.to_owned()),
        alert: false,
        url: None,
    }))
}

fn marks() -> impl Strategy<Value = JournalMark> {
    let date = 1_790_000_000;
    prop_oneof![
        (0..8usize).prop_map(move |step| JournalMark::Begun { step, date }),
        (0..8usize, 1..60i32).prop_map(move |(step, message_id)| JournalMark::Sent { step, message_id, date }),
        (0..8usize, 1..60i32, popups()).prop_map(move |(step, message_id, popup)| JournalMark::Clicked {
            step,
            message_id,
            date,
            popup
        }),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    let step = 0..6usize;
    let refusal = prop::sample::select(vec![(400, "DATA_INVALID"), (400, "BOT_RESPONSE_TIMEOUT"), (500, "INTERNAL")])
        .prop_map(|(code, name)| Refusal { code, name: name.to_owned() });
    let history = || prop::collection::vec(messages(), 0..4);
    prop_oneof![
        2 => history().prop_map(|history| Input::Started { history }),
        1 => (prop::collection::vec(marks(), 0..5), history())
            .prop_map(|(journal, history)| Input::Resume { journal, history }),
        4 => (step.clone(), 1..60i32, 0..9i64).prop_map(|(step, message_id, late)| {
            Input::Sent { step, message_id, date: 1_790_000_000 + late }
        }),
        4 => (step.clone(), popups()).prop_map(|(step, popup)| Input::Clicked { step, popup }),
        1 => (step.clone(), refusal.clone()).prop_map(|(step, refusal)| Input::SendRefused { step, refusal }),
        1 => (step.clone(), refusal).prop_map(|(step, refusal)| Input::ClickRefused { step, refusal }),
        1 => step.prop_map(|step| Input::Lost { step }),
        8 => messages().prop_map(Input::Message),
        4 => messages().prop_map(Input::Edited),
        1 => prop::collection::vec(1..60i32, 0..4).prop_map(Input::Deleted),
        3 => Just(Input::TimerFired),
        1 => Just(Input::Expired),
    ]
}

/// What the outside sees of a conversation.
#[derive(Default)]
struct Seen {
    begun: Vec<usize>,
    verdict: Option<Verdict>,
}

impl Seen {
    fn note(&mut self, commands: Vec<Command>) -> Result<(), TestCaseError> {
        prop_assert!(commands.len() <= 1);
        for command in commands {
            prop_assert!(self.verdict.is_none(), "nothing follows a verdict");
            match command {
                Command::Send { step, .. } | Command::Click { step, .. } => {
                    prop_assert!(self.begun.last().is_none_or(|last| *last < step), "each step acts at most once");
                    self.begun.push(step);
                }
                Command::Finish(verdict) => self.verdict = Some(verdict),
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn any_order_of_inputs_is_survived(
        script in scripts(),
        group in any::<bool>(),
        inputs in prop::collection::vec((inputs(), 0..20u64), 0..60),
    ) {
        let place = if group { Place::Group } else { Place::Private { peer: 7 } };
        let mut conversation = Conversation::new(Arc::new(script.clone()), place);
        let mut seen = Seen::default();
        let mut now = Elapsed::ZERO;
        for (input, seconds) in inputs {
            now += Duration::from_secs(seconds);
            seen.note(conversation.handle(now, input))?;
            prop_assert!(seen.begun.len() <= script.steps.len());
        }
        // Left alone, it runs out of time within one timer a step and one for the verdict, or is told to stop.
        seen.note(conversation.handle(now, Input::Started { history: Vec::new() }))?;
        for _ in 0..=script.steps.len() {
            let Some(deadline) = conversation.deadline() else { break };
            now = now.max(deadline);
            seen.note(conversation.handle(now, Input::TimerFired))?;
        }
        prop_assert_eq!(conversation.deadline(), None);
        seen.note(conversation.handle(now, Input::Expired))?;
        let verdict = seen.verdict.as_ref().unwrap();
        if matches!(verdict.outcome, Outcome::Succeeded | Outcome::AlreadyDone) {
            let proof = verdict.evidence.iter().filter(|evidence| evidence.rule.is_some());
            prop_assert!(proof.clone().count() == 1, "{verdict:?}");
            prop_assert!(proof.clone().all(|evidence| evidence.source != EvidenceSource::Sent));
        }
        prop_assert!(seen.verdict.is_some());
    }

    #[test]
    fn texts_of_any_kind_are_survived(text in any::<String>(), pattern in any::<String>()) {
        super::super::amounts::amounts(&text);
        let own = Pattern::parse(&pattern).ok();
        let rules = OutcomeRules { success: own.into_iter().collect(), ..OutcomeRules::default() };
        classify(&text, &rules);
    }
}
