//! The validated script of a task.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::consult::Word;
use super::host::Host;
use super::keyboard::Target;
use super::pattern::Pattern;
use super::template::Template;
use crate::names::ChatRef;

/// What is said and expected, and how the answers are read. Journaled with every claim, so that a run which is taken up
/// again after a crash goes on with the script it began with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// In order, as [`unroll`](super::unroll) makes them; never empty. The script only ever goes forward in it.
    pub steps: Vec<Step>,
    /// How texts of the bot decide the outcome.
    pub rules: OutcomeRules,
    /// What counts as proof.
    pub proof: Proof,
}

/// One step and the time it may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is done.
    pub verb: Verb,
    /// How long its answer is waited for; `None` means [`DEFAULT_WITHIN`].
    pub within: Option<Duration>,
    /// The later step that follows when this one cannot be done; `None` means that the run ends then.
    pub otherwise: Option<usize>,
    /// What people call it: `3`, `3.2` within a group, `3.2 (round 2)` within a repetition.
    pub place: String,
}

/// How long a step waits for its answer when the task says nothing.
pub const DEFAULT_WITHIN: Duration = Duration::from_secs(30);

/// What one step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Sends one of these texts without markup.
    Send(Vec<Template>),
    /// As `Send`, in answer to the newest message that counts and, if there is a pattern, matches it.
    Reply {
        /// One of these is drawn.
        texts: Vec<Template>,
        /// What the message that is answered says.
        to: Option<Pattern>,
    },
    /// Starts the bot of the chat with this parameter, as a `t.me/BOT?start=…` link does.
    Start(String),
    /// Throws this emoji.
    Dice(String),
    /// Presses the first button, inline or of a reply keyboard, that one of the targets fits; earlier targets win.
    Click(Vec<Target>),
    /// Gets the page of such a button.
    Open(Vec<Target>, Page),
    /// Votes for the answer of a poll that one of the patterns matches; earlier patterns win.
    Vote(Vec<Target>),
    /// Forwards the newest message that matches to the chat of the task.
    Forward {
        /// What it says.
        pattern: Pattern,
        /// Where it is looked for; `None` is the chat of the task, and there only what counts.
        from: Option<ChatRef>,
    },
    /// Presses the one button that the text of the question names; a model is asked when that is not clear.
    Choose,
    /// Answers a sum, by a button that has the result or by typing it; a model is asked when it is not understood.
    Solve,
    /// Presses the button that a model chooses by the picture; with what the task tells the model.
    ChooseByPicture(Option<String>),
    /// Types what a model reads in the picture.
    Read {
        /// What it looks like.
        word: Word,
        /// What the task tells the model.
        prompt: Option<String>,
    },
    /// Waits for a text, a caption or a popup that matches, and keeps what its groups capture.
    Expect(Pattern),
    /// From here on the run has failed when the bot says this, or has said it since our first action.
    Refuse(Pattern),
    /// Lets time pass.
    Wait(Duration),
    /// Something that leaves no message, and that may be done twice.
    Quiet(Quiet),
    /// Waits for a text that one of the patterns matches, and goes on where that branch begins.
    When(Vec<Branch>),
    /// Goes on at a later step.
    Jump(usize),
    /// The end of a round that another one may follow: when the text was said the repetition is over, and the script goes on
    /// at the step. A failure that was said, or the end of the time, begins the next round.
    Until(Pattern, usize),
}

/// The conditions under which a page is got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The only hosts that are asked, the targets of redirects among them; never empty.
    pub hosts: Vec<Host>,
    /// Whether Telegram may tell the page who opens it, when the button offers that.
    pub authorise: bool,
}

/// What may be done twice, because the second time changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quiet {
    /// Marks the chat as read.
    ReadHistory,
    /// Deletes our own messages of this run.
    Delete,
    /// Joins the group or channel of the task.
    Join,
    /// Leaves it.
    Leave,
}

/// One way to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// What is said.
    pub pattern: Pattern,
    /// The later step where it begins.
    pub target: usize,
}

impl Verb {
    /// Whether Telegram sees it.
    pub fn acts(&self) -> bool {
        match self {
            Self::Send(_)
            | Self::Reply { .. }
            | Self::Start(_)
            | Self::Dice(_)
            | Self::Click(_)
            | Self::Open(..)
            | Self::Vote(_)
            | Self::Forward { .. }
            | Self::Choose
            | Self::Solve
            | Self::ChooseByPicture(_)
            | Self::Read { .. }
            | Self::Quiet(_) => true,
            Self::Expect(_) | Self::Refuse(_) | Self::Wait(_) | Self::When(_) | Self::Jump(_) | Self::Until(..) => {
                false
            }
        }
    }

    /// Whether it may do something about what was said before the run began.
    fn looks_back(&self) -> bool {
        match self {
            Self::Reply { .. }
            | Self::Click(_)
            | Self::Open(..)
            | Self::Vote(_)
            | Self::Choose
            | Self::Solve
            | Self::ChooseByPicture(_)
            | Self::Read { .. } => true,
            Self::Forward { from, .. } => from.is_none(),
            _ => false,
        }
    }

    /// Whether it waits for words.
    pub fn listens(&self) -> bool {
        matches!(self, Self::Expect(_) | Self::When(_) | Self::Until(..))
    }
}

impl Script {
    /// Whether the first thing it does is about messages that are already there: then it is told the chat's newest ones.
    pub fn looks_first(&self) -> bool {
        let acts = |verb: &&Verb| verb.acts() && !matches!(verb, Verb::Quiet(_));
        self.steps.iter().map(|step| &step.verb).find(acts).is_some_and(Verb::looks_back)
    }

    /// The steps that may still be reached from `from` on, in order.
    pub(super) fn reachable(&self, from: usize) -> impl Iterator<Item = (usize, &Step)> {
        let mut reached = BTreeSet::from([from]);
        self.steps.iter().enumerate().skip(from).filter(move |(index, step)| {
            let here = reached.contains(index);
            if here {
                reached.extend(step.otherwise);
                match &step.verb {
                    Verb::Jump(target) => reached.extend([*target]),
                    Verb::When(branches) => reached.extend(branches.iter().map(|branch| branch.target)),
                    Verb::Until(_, end) => reached.extend([*end, index + 1]),
                    _ => reached.extend([index + 1]),
                }
            }
            here
        })
    }

    /// What people call a step.
    pub fn place(&self, step: usize) -> &str {
        self.steps.get(step).map_or("?", |step| &step.place)
    }
}

/// What counts as proof that the sign-in worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The bot's own words.
    #[default]
    Bot,
    /// Telegram took the messages: for places that never answer.
    Delivered,
}

/// A task's own patterns; the defaults for Chinese, English and Russian apply after them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutcomeRules {
    /// The sign-in worked.
    pub success: Vec<Pattern>,
    /// It had been done before.
    pub already: Vec<Pattern>,
    /// It did not work.
    pub failure: Vec<Pattern>,
}
