//! Bots written as rules.

use super::pattern::{Found, Pattern};
use super::{Bot, BotAction, BotContext, BotEvent, BotEventKind, Effect};
use crate::content::{Button, ButtonAction, Content, Markup};

/// A bot made of rules. They are tried in order; the first one whose trigger, state and period fit is played.
#[derive(Clone, Debug, Default)]
pub struct Script {
    rules: Vec<Rule>,
}

/// On this event, in this state, that often: do this.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What sets it off.
    pub trigger: Trigger,
    /// Only in this state; the empty string stands for "in no state".
    pub when: Option<String>,
    /// Only for the first time in each period, per user. Later rules get the other times.
    pub once_per: Option<Period>,
    /// What happens.
    pub actions: Vec<ScriptAction>,
}

/// What sets a rule off.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// A text.
    Text(Pattern),
    /// A pressed button, by its callback data.
    Button(Pattern),
    /// `/start`, by its parameter.
    Start(Pattern),
    /// A die, by its emoji.
    Dice(Pattern),
    /// A forwarded message, by its text.
    Forward(Pattern),
    /// A vote in a poll of the bot, by the answer.
    Vote(Pattern),
}

/// How often a rule may be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Once per calendar day of the bot's zone.
    Day,
}

/// One step of a rule.
#[derive(Clone, Debug)]
pub enum ScriptAction {
    /// Do this. `{0}`, `{1}`, … and `{name}` in its texts are what the pattern captured, `{user}` is the user's
    /// name and `{date}` the date in the bot's zone.
    Bot(BotAction),
    /// Put the user into a state at once; the empty string leaves any.
    SetState(String),
}

impl Script {
    /// A bot with these rules.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }
}

impl Bot for Script {
    fn on_event(&self, event: &BotEvent, context: &mut BotContext<'_>) -> Vec<BotAction> {
        let (texts, data);
        let subject = match &event.kind {
            BotEventKind::Text { text, .. } | BotEventKind::Forward { text } | BotEventKind::Vote { answer: text } => {
                text
            }
            BotEventKind::Start { parameter } => {
                texts = if parameter.is_empty() { "/start".to_owned() } else { format!("/start {parameter}") };
                &texts
            }
            BotEventKind::Button { data: bytes, .. } => {
                data = String::from_utf8_lossy(bytes).into_owned();
                &data
            }
            BotEventKind::Dice { emoji, .. } => emoji,
        };
        for (index, rule) in self.rules.iter().enumerate() {
            let found = match (&rule.trigger, &event.kind) {
                (Trigger::Start(pattern), BotEventKind::Start { parameter }) => pattern.find(parameter),
                (Trigger::Text(pattern), BotEventKind::Text { .. } | BotEventKind::Start { .. })
                | (Trigger::Button(pattern), BotEventKind::Button { .. })
                | (Trigger::Forward(pattern), BotEventKind::Forward { .. })
                | (Trigger::Vote(pattern), BotEventKind::Vote { .. })
                | (Trigger::Dice(pattern), BotEventKind::Dice { .. }) => pattern.find(subject),
                _ => None,
            };
            let Some(found) = found else { continue };
            if rule.when.as_ref().is_some_and(|state| context.state().unwrap_or_default() != state) {
                continue;
            }
            if rule.once_per == Some(Period::Day) && !context.first_today(&format!("rule {index}")) {
                continue;
            }
            return play(rule, &found, event, context);
        }
        // A bot that knows nothing about a button does not answer it.
        match event.kind {
            BotEventKind::Button { .. } => vec![Effect::NoAnswer.into()],
            _ => Vec::new(),
        }
    }
}

fn play(rule: &Rule, found: &Found<'_>, event: &BotEvent, context: &mut BotContext<'_>) -> Vec<BotAction> {
    let fill = |text: &str| fill(text, found, event);
    let mut actions = Vec::new();
    for action in &rule.actions {
        match action {
            ScriptAction::SetState(state) => {
                context.set_state((!state.is_empty()).then_some(state.as_str()));
            }
            ScriptAction::Bot(action) => {
                let effect = match &action.effect {
                    Effect::Send { content, reply, name } => {
                        Effect::Send { content: fill_content(content, &fill), reply: *reply, name: name.clone() }
                    }
                    Effect::Edit { target, content } => {
                        Effect::Edit { target: target.clone(), content: fill_content(content, &fill) }
                    }
                    Effect::Answer { text, alert } => Effect::Answer { text: fill(text), alert: *alert },
                    other => other.clone(),
                };
                actions.push(BotAction { after: action.after, effect });
            }
        }
    }
    actions
}

fn fill_content(content: &Content, fill: &impl Fn(&str) -> String) -> Content {
    let markup = content.markup.as_ref().map(|markup| match markup {
        Markup::Inline(rows) => {
            let button = |button: &Button| Button {
                text: fill(&button.text),
                action: match &button.action {
                    ButtonAction::Callback(data) => match std::str::from_utf8(data) {
                        Ok(data) => ButtonAction::Callback(fill(data).into_bytes()),
                        Err(_) => ButtonAction::Callback(data.clone()),
                    },
                    ButtonAction::Url(url) => ButtonAction::Url(fill(url)),
                    ButtonAction::Login { url, id } => ButtonAction::Login { url: fill(url), id: *id },
                    ButtonAction::MiniApp(url) => ButtonAction::MiniApp(fill(url)),
                },
            };
            Markup::Inline(rows.iter().map(|row| row.iter().map(button).collect()).collect())
        }
        Markup::Keyboard(rows) => {
            Markup::Keyboard(rows.iter().map(|row| row.iter().map(|text| fill(text)).collect()).collect())
        }
        Markup::RemoveKeyboard => Markup::RemoveKeyboard,
    });
    Content { text: fill(&content.text), markup, ..content.clone() }
}

/// Replaces `{…}` where the name is known; other braces stay as they are.
fn fill(text: &str, found: &Found<'_>, event: &BotEvent) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            rest = &rest[before.len()..];
            break;
        };
        match name {
            "user" => filled.push_str(&event.user.first_name),
            "date" => filled.push_str(&event.time.format("%Y-%m-%d").to_string()),
            _ => {
                let Some(value) = found.get(name) else {
                    filled.push('{');
                    rest = after;
                    continue;
                };
                filled.push_str(value);
            }
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use chrono::DateTime;

    use super::super::{BotMemory, BotUser};
    use super::*;

    fn event(kind: BotEventKind) -> BotEvent {
        BotEvent {
            time: DateTime::parse_from_rfc3339("2026-03-04T05:06:07+08:00").unwrap(),
            user: BotUser { id: 1, account: "alice".into(), first_name: "Alice".into() },
            group: None,
            topic: None,
            message_id: 1,
            kind,
        }
    }

    fn text(text: &str) -> BotEvent {
        event(BotEventKind::Text { text: text.to_owned(), reply_to: None })
    }

    fn rule(trigger: Trigger, reply: &str) -> Rule {
        let actions = vec![ScriptAction::Bot(BotAction::send(Content::text(reply)))];
        Rule { trigger, when: None, once_per: None, actions }
    }

    fn replies(script: &Script, memory: &mut BotMemory, event: &BotEvent) -> Vec<String> {
        let actions = script.on_event(event, &mut memory.context(event.user.id, event.time));
        actions
            .into_iter()
            .map(|action| match action.effect {
                Effect::Send { content, .. } => content.text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn captures_and_facts_fill_the_texts() {
        let trigger = Trigger::Text(Pattern::parse(r"/^(\d+) (?<unit>\w+)$/").unwrap());
        let script = Script::new(vec![rule(trigger, "{user}: {1} {unit} on {date}, {no} {")]);
        let got = replies(&script, &mut BotMemory::default(), &text("12 points"));
        assert_eq!(got, ["Alice: 12 points on 2026-03-04, {no} {"]);
    }

    #[test]
    fn the_second_time_of_a_day_goes_to_the_next_rule() {
        let checkin = || Trigger::Text(Pattern::Exact("/checkin".into()));
        let script = Script::new(vec![
            Rule { once_per: Some(Period::Day), ..rule(checkin(), "signed") },
            rule(checkin(), "already"),
        ]);
        let mut memory = BotMemory::default();
        assert_eq!(replies(&script, &mut memory, &text("/checkin")), ["signed"]);
        assert_eq!(replies(&script, &mut memory, &text("/checkin")), ["already"]);
        let mut tomorrow = text("/checkin");
        tomorrow.time += chrono::TimeDelta::days(1);
        assert_eq!(replies(&script, &mut memory, &tomorrow), ["signed"]);
    }

    #[test]
    fn rules_follow_the_users_state() {
        let any = || Trigger::Text(Pattern::parse("/.*/").unwrap());
        let mut ask = rule(any(), "captcha?");
        ask.when = Some(String::new());
        ask.actions.push(ScriptAction::SetState("captcha".into()));
        let mut take = rule(any(), "thanks");
        take.when = Some("captcha".into());
        take.actions.push(ScriptAction::SetState(String::new()));
        let script = Script::new(vec![ask, take]);
        let mut memory = BotMemory::default();
        let got: Vec<_> = (0..3).flat_map(|_| replies(&script, &mut memory, &text("x"))).collect();
        assert_eq!(got, ["captcha?", "thanks", "captcha?"]);
    }

    #[test]
    fn start_matches_by_parameter_and_as_text() {
        let start = |parameter: &str| event(BotEventKind::Start { parameter: parameter.into() });
        let script = Script::new(vec![
            rule(Trigger::Start(Pattern::Exact("invite".into())), "by parameter"),
            rule(Trigger::Text(Pattern::Exact("/start".into())), "as text"),
        ]);
        let mut memory = BotMemory::default();
        assert_eq!(replies(&script, &mut memory, &start("invite")), ["by parameter"]);
        assert_eq!(replies(&script, &mut memory, &start("")), ["as text"]);
        assert_eq!(replies(&script, &mut memory, &start("other")), [""; 0]);
    }

    #[test]
    fn an_unknown_button_is_not_answered() {
        let press = event(BotEventKind::Button { data: b"x".to_vec(), text: "X".into() });
        let actions = Script::default().on_event(&press, &mut BotMemory::default().context(1, press.time));
        assert_eq!(actions, [Effect::NoAnswer.into()]);
    }
}
