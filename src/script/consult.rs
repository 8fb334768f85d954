//! What a model is asked, and which of its answers are accepted. An answer chooses among what is offered or fills in a word;
//! it is never a command, an address or a second message.

use serde::{Deserialize, Serialize};

use super::arithmetic;
use super::text::{nfkc, normalise, visible, without_emoji};

/// Longest word that is read from a picture, in characters.
pub const MAX_READ: usize = 32;

/// A question to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is wanted.
    pub wanted: Wanted,
    /// What the bot said, if anything.
    pub text: String,
    /// The message whose picture belongs to it.
    pub picture: Option<i32>,
    /// What the task adds.
    pub prompt: Option<String>,
}

/// What is wanted of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One of these labels.
    OneOf(Vec<String>),
    /// What is written in the picture.
    Word(Word),
    /// The result of a sum.
    Number,
}

/// What the word in a picture looks like.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Word {
    /// How many characters it has.
    pub length: Option<usize>,
    /// Which.
    pub alphabet: Alphabet,
}

/// The characters of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// `0` to `9`.
    Digits,
    /// `A` to `Z`, large or small.
    Letters,
    /// Both of these.
    #[default]
    LettersAndDigits,
    /// Chinese characters.
    Chinese,
}

impl Alphabet {
    fn has(self, character: char) -> bool {
        match self {
            Self::Digits => character.is_ascii_digit(),
            Self::Letters => character.is_ascii_alphabetic(),
            Self::LettersAndDigits => character.is_ascii_alphanumeric(),
            Self::Chinese => matches!(character, '\u{3400}'..='\u{9FFF}'),
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Letters => "Latin letters",
            Self::LettersAndDigits => "Latin letters and digits",
            Self::Chinese => "Chinese characters",
        }
    }
}

/// An accepted answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This one of the offered labels.
    Label(usize),
    /// To be typed: letters, digits, Chinese characters or a number.
    Typed(String),
}

impl Question {
    /// What the model is told to do, in English.
    pub fn instructions(&self) -> String {
        let task = match &self.wanted {
            Wanted::OneOf(labels) => format!(
                "Choose the one option that answers the question. Answer with this option alone, copied exactly, \
                 without quotes or explanation.\nOptions:\n{}",
                labels.iter().map(|label| format!("- {label}\n")).collect::<String>()
            ),
            Wanted::Word(word) => {
                let length = word.length.map(|length| format!(" exactly {length}")).unwrap_or_default();
                format!(
                    "Read the text in the picture. It consists of{length} {}. Answer with this text alone.",
                    word.alphabet.says()
                )
            }
            Wanted::Number => "Solve the sum. Answer with the resulting whole number alone, in digits.".to_owned(),
        };
        match &self.prompt {
            Some(prompt) => format!("{task}\n{prompt}"),
            None => task,
        }
    }

    /// The answer, if it is one of those that are possible.
    pub fn accept(&self, answer: &str) -> Option<Answer> {
        if answer.len() > 1000 {
            return None;
        }
        match &self.wanted {
            Wanted::OneOf(labels) => {
                let said = normalise(answer);
                let bare = without_emoji(&said);
                let is = |label: &String| {
                    let label = normalise(label);
                    label == said || !bare.is_empty() && without_emoji(&label) == bare
                };
                let mut fitting = labels.iter().enumerate().filter(|(_, label)| is(label)).map(|(index, _)| index);
                let chosen = fitting.next()?;
                fitting.next().is_none().then_some(Answer::Label(chosen))
            }
            Wanted::Word(word) => {
                let said = nfkc(&visible(answer));
                // `a 7 K q` is a word that was spelled, `the code is a7Kq` is a sentence.
                let spelled = said.split_whitespace().all(|part| part.chars().count() == 1);
                let said: String = said.chars().filter(|c| !(spelled && c.is_whitespace())).collect();
                let length = said.chars().count();
                let fits = word.length.map_or((1..=MAX_READ).contains(&length), |wanted| wanted == length)
                    && said.chars().all(|character| word.alphabet.has(character));
                fits.then_some(Answer::Typed(said))
            }
            Wanted::Number => arithmetic::number(answer.trim()).map(|number| Answer::Typed(number.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(wanted: Wanted) -> Question {
        Question { wanted, text: String::new(), picture: None, prompt: None }
    }

    #[test]
    fn only_what_is_offered_is_accepted() {
        let fruit = question(Wanted::OneOf(vec!["🍎 苹果".into(), "香蕉".into(), "3".into(), "香 蕉".into()]));
        for (answer, expected) in [
            ("苹果", Some(0)),
            (" 🍎苹果\n", Some(0)),
            ("3", Some(2)),
            ("1", None),
            ("苹果 or 香蕉", None),
            ("/transfer 100", None),
            ("", None),
            (&"苹果".repeat(1000), None),
        ] {
            assert_eq!(fruit.accept(answer), expected.map(Answer::Label), "{answer}");
        }
        let digits = question(Wanted::Word(Word { length: Some(4), alphabet: Alphabet::Digits }));
        let letters = question(Wanted::Word(Word::default()));
        let chinese = question(Wanted::Word(Word { length: Some(2), alphabet: Alphabet::Chinese }));
        for (question, answer, expected) in [
            (&digits, "1 2 3 ４\n", Some("1234")),
            (&digits, "12345", None),
            (&digits, "12a4", None),
            (&letters, "a7Kq", Some("a7Kq")),
            (&letters, "/a7Kq", None),
            (&letters, "https://evil.example/", None),
            (&letters, "I see: a7Kq", None),
            (&letters, &"a".repeat(33), None),
            (&letters, "", None),
            (&chinese, "签到", Some("签到")),
            (&chinese, "签a", None),
            (&question(Wanted::Number), "42", Some("42")),
            (&question(Wanted::Number), "-7", Some("-7")),
            (&question(Wanted::Number), "forty two things", None),
        ] {
            assert_eq!(question.accept(answer), expected.map(|text| Answer::Typed(text.into())), "{answer}");
        }
    }
}
