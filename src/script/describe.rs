//! Steps in a few words, for transcripts and rehearsals.

use std::fmt;

use super::step::{Quiet, Verb};
use super::template::Template;

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(texts) => write!(f, "send {}", any_of(texts.iter().map(Template::source))),
            Self::Reply { texts, to: None } => write!(f, "reply {}", any_of(texts.iter().map(Template::source))),
            Self::Reply { texts, to: Some(to) } => {
                write!(f, "reply {} to {to}", any_of(texts.iter().map(Template::source)))
            }
            Self::Start(parameter) => write!(f, "start {parameter}"),
            Self::Dice(emoji) => write!(f, "dice {emoji}"),
            Self::Click(targets) => write!(f, "click {}", any_of(targets)),
            Self::Open(targets, page) => write!(f, "open {} at {}", any_of(targets), any_of(&page.hosts)),
            Self::Vote(targets) => write!(f, "vote {}", any_of(targets)),
            Self::Forward { pattern, from: None } => write!(f, "forward {pattern}"),
            Self::Forward { pattern, from: Some(chat) } => write!(f, "forward {pattern} from {chat}"),
            Self::Choose => f.write_str("choose by the question"),
            Self::Solve => f.write_str("solve the sum"),
            Self::ChooseByPicture(_) => f.write_str("choose by the picture"),
            Self::Read { .. } => f.write_str("read the picture"),
            Self::Expect(pattern) => write!(f, "expect {pattern}"),
            Self::Refuse(pattern) => write!(f, "refuse {pattern}"),
            Self::Wait(pause) => write!(f, "wait {}s", pause.as_secs()),
            Self::Quiet(quiet) => quiet.fmt(f),
            Self::When(branches) => {
                write!(f, "when {} is said", any_of(branches.iter().map(|branch| &branch.pattern)))
            }
            Self::Jump(_) => f.write_str("go on behind it"),
            Self::Until(pattern, _) => write!(f, "again, until {pattern} is said"),
        }
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadHistory => "read the history",
            Self::Delete => "delete our messages",
            Self::Join => "join",
            Self::Leave => "leave",
        })
    }
}

fn any_of<T: ToString>(several: impl IntoIterator<Item = T>) -> String {
    several.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or ")
}
