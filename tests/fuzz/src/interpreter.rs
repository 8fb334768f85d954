//! A conversation that is told anything in any order: it acts at most once a step and only as its script says, claims nothing
//! without proof, and ends.

use std::sync::Arc;
use std::time::Duration;

use tgsignd::script::{
    Act, Answer, Button, ButtonKind, Cell, ChatMessage, Command, Conversation, Input, JournalMark, Link, Media, Memory,
    Mention, Outcome, OutcomeRules, Outgoing, Page, Part, PartKind, Pattern, Place, Popup, Press, Proof, Quiet,
    Refusal, Script, Sender, Target, Template, Verb, Verdict, Word, amounts, classify, unroll,
};

const TEXTS: [&str; 14] = [
    "签到成功 +5",
    "今日已签到",
    "签到失败",
    "系统繁忙，正在处理",
    "你好",
    "",
    "积分 3",
    "1 + 2 = ?",
    "请点击「签到」",
    "code 4711",
    "Successfully checked in!",
    "Вы уже отметились сегодня",
    "/start",
    "{what}",
];
const PATTERNS: [&str; 7] = ["签到", "积分", "成功", "/./", "/(?<what>\\d+)/", "/code (?<what>.*)/i", "🧧"];
const START: i64 = 1_790_000_000;

/// Bytes that are read one by one; zeros follow them.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.next()) % limit
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// One of the usual texts, or whatever the bytes spell.
    fn text(&mut self) -> String {
        if !self.next().is_multiple_of(4) {
            return self.one(&TEXTS).to_owned();
        }
        let length = usize::from(self.next()).min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn pattern(&mut self) -> Pattern {
        let usual = self.one(&PATTERNS);
        let written = if self.next().is_multiple_of(8) { self.text() } else { usual.to_owned() };
        Pattern::parse(&written).or_else(|_| Pattern::parse(usual)).unwrap_or_else(|_| unreachable!("they are valid"))
    }

    fn target(&mut self) -> Target {
        if self.flag() {
            return Target::Label(self.pattern());
        }
        let side = |byte: u8| i8::try_from(byte % 7).unwrap_or(0) - 3;
        let (row, column) = (side(self.next()), side(self.next()));
        Target::At(Cell { row, column })
    }

    fn verb(&mut self) -> Verb {
        match self.next() % 19 {
            0 => Verb::Send(vec![Template::literal("/checkin")]),
            1 => {
                let filled = Template::parse("说 {what}", &["what".to_owned()].into());
                Verb::Send(filled.into_iter().chain([Template::literal("好")]).collect())
            }
            2 => Verb::Reply { texts: vec![Template::literal("签到")], to: self.flag().then(|| self.pattern()) },
            3 => Verb::Start("ref".to_owned()),
            4 => Verb::Dice("🎲".to_owned()),
            5 | 6 => Verb::Click(vec![self.target(), self.target()]),
            7 => {
                let hosts = "a.example".parse().into_iter().collect();
                Verb::Open(vec![self.target()], Page { hosts, authorise: self.flag() })
            }
            8 => Verb::Vote(vec![self.target()]),
            9 => Verb::Forward { pattern: self.pattern(), from: None },
            10 => Verb::Choose,
            11 => Verb::Solve,
            12 => Verb::ChooseByPicture(None),
            13 => Verb::Read { word: Word::default(), prompt: None },
            14 => Verb::Refuse(self.pattern()),
            15 => Verb::Wait(Duration::from_secs(u64::from(self.next() % 40))),
            16 => Verb::Quiet(self.one(&[Quiet::ReadHistory, Quiet::Delete, Quiet::Join, Quiet::Leave])),
            _ => Verb::Expect(self.pattern()),
        }
    }

    fn parts(&mut self, depth: u8) -> Vec<Part> {
        let count = 1 + self.below(4);
        (0..count).map(|_| self.part(depth)).collect()
    }

    fn part(&mut self, depth: u8) -> Part {
        let kind = match self.next() % 8 {
            0 if depth > 0 => {
                let branches = 1 + self.below(3);
                PartKind::When((0..branches).map(|_| (self.pattern(), self.parts(depth - 1))).collect())
            }
            1 if depth > 0 => {
                let rounds = 1 + u32::from(self.next() % 3);
                PartKind::Repeat { rounds, until: self.flag().then(|| self.pattern()), parts: self.parts(depth - 1) }
            }
            _ => PartKind::Step(self.verb()),
        };
        let within = self.flag().then(|| Duration::from_secs(u64::from(self.next() % 60)));
        let instead = if depth > 0 && self.next().is_multiple_of(6) { self.parts(depth - 1) } else { Vec::new() };
        Part { kind, within, optional: self.flag(), instead }
    }

    fn button(&mut self) -> Button {
        let text = self.text();
        let kind = match self.next() % 8 {
            0 => ButtonKind::Reply,
            1 => ButtonKind::Url(Link { url: "https://a.example/".to_owned(), login: self.flag().then_some(1) }),
            2 => ButtonKind::MiniApp,
            3 => ButtonKind::Vote { option: vec![self.next()] },
            4 => ButtonKind::RequestsPassword,
            5 => ButtonKind::Other,
            _ => ButtonKind::Callback { data: vec![self.next()] },
        };
        Button { text, kind }
    }

    fn message(&mut self) -> ChatMessage {
        let from = match self.next() % 6 {
            0 => Sender::Channel,
            1 => Sender::AnonymousAdmin,
            2 => Sender::Peer { id: 8, is_bot: self.flag() },
            _ => Sender::Peer { id: 7, is_bot: true },
        };
        let rows = self.below(4);
        let keyboard = (0..rows).map(|_| (0..self.below(3)).map(|_| self.button()).collect()).collect();
        ChatMessage {
            id: i32::from(self.next()),
            from,
            outgoing: self.next().is_multiple_of(8),
            date: START + i64::from(self.next() % 30),
            edited: self.flag().then(|| START + i64::from(self.next() % 40)),
            text: self.text(),
            keyboard,
            media: self.one(&[Media::None, Media::None, Media::Photo, Media::Document, Media::Dice, Media::Other]),
            reply_to: self.flag().then(|| i32::from(self.next())),
            mention: self.one(&[Mention::Nobody, Mention::Nobody, Mention::Me, Mention::Others]),
            forwarded: self.next().is_multiple_of(8),
        }
    }

    fn messages(&mut self) -> Vec<ChatMessage> {
        let count = self.below(4);
        (0..count).map(|_| self.message()).collect()
    }

    fn popup(&mut self) -> Option<Popup> {
        self.flag().then(|| Popup { text: self.flag().then(|| self.text()), alert: self.flag(), url: None })
    }

    fn mark(&mut self) -> JournalMark {
        let (step, date) = (self.below(8), START);
        match self.next() % 4 {
            0 => {
                let message = self.flag().then(|| Outgoing::Text { text: self.text(), reply_to: None });
                JournalMark::Begun { step, date, message, memory: Memory::default() }
            }
            1 => JournalMark::Sent { step, message_id: i32::from(self.next()), date },
            2 => JournalMark::Clicked { step, message_id: i32::from(self.next()), date, popup: self.popup() },
            _ => JournalMark::Done { step, date },
        }
    }

    /// What may happen, most of the time about the step that is under way.
    fn input(&mut self, current: usize) -> Input {
        let step = if self.next().is_multiple_of(4) { self.below(12) } else { current };
        match self.next() % 18 {
            0 => Input::Started { history: self.messages() },
            1 => {
                let marks = self.below(4);
                Input::Resume { journal: (0..marks).map(|_| self.mark()).collect(), history: self.messages() }
            }
            2 | 3 => Input::Sent { step, message_id: i32::from(self.next()), date: START + i64::from(self.next() % 9) },
            4 | 5 => Input::Clicked { step, popup: self.popup() },
            6 => Input::Done { step },
            7 => {
                let answers = [
                    Ok(Answer::Label(usize::from(self.next()))),
                    Ok(Answer::Typed("a7Kq".to_owned())),
                    Err("down".to_owned()),
                ];
                Input::Answered { step, answer: answers[self.below(3)].clone() }
            }
            8 => Input::NotDone { step, reason: "no".to_owned() },
            9 => {
                let (code, name) = self.one(&[(400, "DATA_INVALID"), (400, "BOT_RESPONSE_TIMEOUT"), (500, "INTERNAL")]);
                Input::Refused { step, refusal: Refusal { code, name: name.to_owned() } }
            }
            10 => Input::Lost { step },
            11 => Input::Deleted(vec![i32::from(self.next())]),
            12 => Input::TimerFired,
            13 => Input::Edited(self.message()),
            14 if self.next().is_multiple_of(8) => Input::Expired,
            _ => Input::Message(self.message()),
        }
    }
}

/// What the outside sees.
#[derive(Default)]
struct Seen {
    begun: Vec<usize>,
    asked: Vec<usize>,
    verdict: Option<Verdict>,
}

impl Seen {
    fn note(&mut self, script: &Script, commands: Vec<Command>) {
        assert!(commands.len() <= 1, "one command at a time");
        for command in commands {
            assert!(self.verdict.is_none(), "nothing follows a verdict");
            match command {
                Command::Act { step, act, .. } => {
                    assert!(self.begun.last().is_none_or(|last| *last < step), "no step acts twice");
                    assert!(fits(&script.steps[step].verb, &act), "a step does what it says: {act:?}");
                    self.begun.push(step);
                }
                Command::Ask { step, .. } => {
                    assert!(self.asked.last().is_none_or(|last| *last < step), "no step asks twice");
                    self.asked.push(step);
                }
                Command::Finish(verdict) => self.verdict = Some(verdict),
            }
        }
    }
}

/// Whether this verb may do this.
fn fits(verb: &Verb, act: &Act) -> bool {
    match act {
        Act::Quiet(quiet) => *verb == Verb::Quiet(*quiet),
        Act::Click { press: Press::Callback(_), .. } => {
            matches!(verb, Verb::Click(_) | Verb::Choose | Verb::Solve | Verb::ChooseByPicture(_))
        }
        Act::Click { press: Press::Vote(_), .. } => matches!(verb, Verb::Vote(_)),
        Act::Click { press: Press::Open(_, page), .. } => matches!(verb, Verb::Open(_, own) if own == page),
        Act::Send(Outgoing::Dice(_)) => matches!(verb, Verb::Dice(_)),
        Act::Send(Outgoing::Start(_)) => matches!(verb, Verb::Start(_)),
        Act::Send(Outgoing::Forward(_)) => matches!(verb, Verb::Forward { .. }),
        // A message that was being sent when the run was cut off is sent again, whatever the journal says it belongs to.
        Act::Send(Outgoing::Text { .. }) => true,
    }
}

/// Plays a conversation that the bytes spell. Panics when a promise is broken.
pub fn play(data: &[u8]) {
    let mut bytes = Bytes(data);
    let parts = bytes.parts(2);
    let Ok(steps) = unroll(&parts) else { return };
    let own = if bytes.flag() { vec![bytes.pattern()] } else { Vec::new() };
    let proof = if bytes.flag() { Proof::Delivered } else { Proof::Bot };
    let rules = OutcomeRules { success: own, ..OutcomeRules::default() };
    let place = bytes.one(&[Place::Private { peer: 7 }, Place::Private { peer: 7 }, Place::Group, Place::Channel]);
    let script = Script { steps, rules, proof };
    let mut conversation = Conversation::new(Arc::new(script.clone()), place, u64::from(bytes.next()));
    let (mut seen, mut now) = (Seen::default(), Duration::ZERO);
    let first =
        if bytes.next().is_multiple_of(8) { bytes.input(0) } else { Input::Started { history: bytes.messages() } };
    seen.note(&script, conversation.handle(now, first));
    while !bytes.0.is_empty() {
        let current = seen.begun.iter().chain(&seen.asked).max().copied().unwrap_or(0);
        let input = bytes.input(current);
        if let Input::Message(message) | Input::Edited(message) = &input {
            classify(&message.text, &script.rules);
            amounts(&message.text);
        }
        now += Duration::from_secs(u64::from(bytes.next() % 20));
        seen.note(&script, conversation.handle(now, input));
    }
    // Left alone, it runs out of time within one timer a step and one for the verdict, or is told to stop.
    seen.note(&script, conversation.handle(now, Input::Started { history: Vec::new() }));
    for _ in 0..=script.steps.len() {
        let Some(deadline) = conversation.deadline() else { break };
        now = now.max(deadline);
        seen.note(&script, conversation.handle(now, Input::TimerFired));
    }
    assert_eq!(conversation.deadline(), None, "it ends");
    seen.note(&script, conversation.handle(now, Input::Expired));
    let verdict = seen.verdict.unwrap_or_else(|| panic!("it has a verdict"));
    if matches!(verdict.outcome, Outcome::Succeeded | Outcome::AlreadyDone) {
        let proofs = verdict.evidence.iter().filter(|evidence| evidence.rule.is_some()).count();
        assert_eq!(proofs, 1, "a claim has one proof: {verdict:?}");
    }
}
