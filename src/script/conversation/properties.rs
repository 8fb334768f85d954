//! Whatever comes in whatever order, a conversation acts at most once a step, proves what it claims, and ends.

#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]

use std::time::Duration;

use proptest::prelude::*;

use super::super::consult::{Answer, Word};
use super::super::keyboard::{Cell, Target};
use super::super::message::Popup;
use super::super::message::{ButtonKind, Link, Media, Sender};
use super::super::outcome::Outcome;
use super::super::protocol::{JournalMark, Refusal};
use super::super::step::{OutcomeRules, Page, Proof};
use super::super::template::Template;
use super::super::unroll::Part;
use super::super::verdict::EvidenceSource;
use super::tests::{bot, click, edited, expect, label, part, repeat, script_of, send, when, with_buttons};
use super::*;

const TEXTS: [&str; 9] =
    ["签到成功 +5", "今日已签到", "签到失败", "你好", "", "积分 3", "签到成功后可得", "1 + 2 = ?", "请点击「签到」"];

fn verbs() -> impl Strategy<Value = Verb> {
    let capturing = Pattern::parse("/(?<what>积分|成功)/").unwrap();
    let captured = Template::parse("说 {what}", &["what".to_owned()].into()).unwrap();
    let quiet = [Quiet::ReadHistory, Quiet::Delete, Quiet::Join, Quiet::Leave];
    prop_oneof![
        3 => Just(send("/checkin")),
        1 => Just(Verb::Send(vec![captured, Template::literal("好")])),
        1 => Just(Verb::Reply { texts: vec![Template::literal("签到")], to: None }),
        1 => Just(Verb::Start("ref".to_owned())),
        1 => Just(Verb::Dice("🎲".to_owned())),
        2 => Just(click("签到")),
        1 => Just(click("/./")),
        1 => Just(Verb::Click(vec![Target::At(Cell { row: -1, column: 1 })])),
        1 => Just(Verb::Open(vec![label("签到")], Page { hosts: vec!["a.example".parse().unwrap()], authorise: true })),
        1 => Just(Verb::Vote(vec![label("/./")])),
        1 => Just(Verb::Forward { pattern: Pattern::parse("积分").unwrap(), from: None }),
        1 => Just(Verb::Choose),
        2 => Just(Verb::Solve),
        1 => Just(Verb::ChooseByPicture(None)),
        1 => Just(Verb::Read { word: Word::default(), prompt: None }),
        2 => Just(expect("积分")),
        1 => Just(Verb::Expect(capturing)),
        1 => Just(Verb::Refuse(Pattern::parse("失败").unwrap())),
        2 => (0..40u64).prop_map(|seconds| Verb::Wait(Duration::from_secs(seconds))),
        1 => prop::sample::select(quiet.to_vec()).prop_map(Verb::Quiet),
    ]
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let one = (verbs(), any::<bool>(), prop::collection::vec(verbs(), 0..2)).prop_map(|(verb, optional, instead)| {
        Part { optional, instead: instead.into_iter().map(part).collect(), ..part(verb) }
    });
    let part = one.prop_recursive(2, 12, 3, |inner| {
        let several = prop::collection::vec(inner, 1..4);
        let patterns = prop::sample::select(vec!["积分", "成功", "/./"]);
        prop_oneof![
            (prop::collection::vec((patterns.clone(), several.clone()), 1..3), any::<bool>())
                .prop_map(|(branches, optional)| Part { optional, ..when(branches) }),
            (1..4u32, prop::option::of(patterns), several, any::<bool>())
                .prop_map(|(rounds, until, parts, optional)| Part { optional, ..repeat(rounds, until, parts) }),
        ]
    });
    prop::collection::vec(part, 1..6)
}

fn scripts() -> impl Strategy<Value = Script> {
    (parts(), any::<bool>(), any::<bool>()).prop_map(|(parts, delivered, own)| {
        let success = if own { vec![Pattern::parse("积分").unwrap()] } else { Vec::new() };
        let proof = if delivered { Proof::Delivered } else { Proof::Bot };
        Script { rules: OutcomeRules { success, ..OutcomeRules::default() }, proof, ..script_of(parts) }
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
            let message = if id % 5 == 0 { ChatMessage { media: Media::Photo, ..message } } else { message };
            let message = if buttons { with_buttons(message, &["签到", "退出"]) } else { message };
            let message = match edit {
                Some(after) => edited(message.clone(), message.date - 5 + after),
                None => message,
            };
            let mut message = ChatMessage { from, outgoing, forwarded: id % 7 == 0, ..message };
            if let (Some(row), true) = (message.keyboard.first_mut(), id % 4 == 0) {
                let link = Link { url: "https://a.example/".to_owned(), login: None };
                row[0].kind = if id % 8 == 0 { ButtonKind::Url(link) } else { ButtonKind::Vote { option: vec![1] } };
            }
            message
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
        (0..8usize, any::<bool>()).prop_map(move |(step, sends)| {
            let message = sends.then(|| Outgoing::Text { text: "/checkin".to_owned(), reply_to: None });
            let memory = Memory { refusals: [step].into(), ..Memory::default() };
            JournalMark::Begun { step, date, message, memory }
        }),
        (0..8usize).prop_map(move |step| JournalMark::Done { step, date }),
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
    let step = 0..12usize;
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
        2 => (step.clone(), refusal).prop_map(|(step, refusal)| Input::Refused { step, refusal }),
        1 => step.clone().prop_map(|step| Input::Done { step }),
        2 => (step.clone(), prop::sample::select(vec![
            Ok(Answer::Label(0)), Ok(Answer::Label(9)), Ok(Answer::Typed("a7Kq".to_owned())), Err("down".to_owned()),
        ])).prop_map(|(step, answer)| Input::Answered { step, answer }),
        1 => step.clone().prop_map(|step| Input::NotDone { step, reason: "no".to_owned() }),
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
    asked: Vec<usize>,
    verdict: Option<Verdict>,
}

impl Seen {
    fn note(&mut self, commands: Vec<Command>) -> Result<(), TestCaseError> {
        prop_assert!(commands.len() <= 1);
        for command in commands {
            prop_assert!(self.verdict.is_none(), "nothing follows a verdict");
            match command {
                Command::Act { step, .. } => {
                    prop_assert!(self.begun.last().is_none_or(|last| *last < step), "each step acts at most once");
                    self.begun.push(step);
                }
                Command::Ask { step, .. } => {
                    prop_assert!(self.asked.last().is_none_or(|last| *last < step), "each step asks at most once");
                    self.asked.push(step);
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
        group in 0..3u8,
        inputs in prop::collection::vec((inputs(), 0..20u64), 0..60),
    ) {
        let place = match group {
            0 => Place::Group,
            1 => Place::Channel,
            _ => Place::Private { peer: 7 },
        };
        let mut conversation = Conversation::new(Arc::new(script.clone()), place, 3);
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
