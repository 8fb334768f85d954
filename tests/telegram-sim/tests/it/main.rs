//! Unmodified grammers against the simulated data centre, over real TCP.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(clippy::large_futures, reason = "those of grammers are large, and tests have few of them")]

mod faults;
mod groups;
mod hostile;
mod login;
mod media;
mod private;
mod support;
mod updates;
mod worlds;

use telegram_sim::{
    Account, BotAction, BotContext, BotEvent, BotEventKind, BotProfile, Content, Group, GroupKind, Photo, World,
};

/// A bot that shows everything a bot can do.
fn checkin_bot(event: &BotEvent, context: &mut BotContext<'_>) -> Vec<BotAction> {
    match &event.kind {
        BotEventKind::Text { text, .. } => match text.as_str() {
            "/checkin" => {
                vec![BotAction::send(Content::text("Press the button").buttons(&[("签到", "checkin"), ("no", "none")]))]
            }
            "/photo" => vec![BotAction::send(Content::text("look").photo(Photo::solid([1, 2, 3], 64)))],
            "/menu" => vec![BotAction::send(Content::text("choose").keyboard(&["yes", "no"]))],
            "/delete" => vec![BotAction::delete()],
            other => vec![BotAction::send(Content::text(format!("{}: {other}", event.user.account)))],
        },
        BotEventKind::Start { parameter } => vec![BotAction::send(Content::text(format!("started {parameter:?}")))],
        BotEventKind::Forward { text } => vec![BotAction::send(Content::text(format!("forwarded {text}")))],
        BotEventKind::Vote { answer } => vec![BotAction::send(Content::text(format!("voted {answer}")))],
        BotEventKind::Dice { emoji, value } => {
            vec![BotAction::send(Content::text(format!("{emoji} {value}")))]
        }
        BotEventKind::Button { data, .. } => match data.as_slice() {
            b"checkin" if context.first_today("checkin") => {
                vec![BotAction::alert("签到成功 +5"), BotAction::edit(Content::text("done"))]
            }
            b"checkin" => vec![BotAction::popup("今天已签到")],
            _ => Vec::new(),
        },
    }
}

fn world() -> World {
    World::new()
        .account(Account::new("alice", "+10000000001", 1001).signed_in().username("alice_sim"))
        .account(Account::new("bob", "+10000000002", 1002).signed_in())
        .account(Account::new("carol", "+10000000003", 1003).code("24680"))
        .account(Account::new("dave", "+10000000004", 1004).password("correct horse"))
        .bot(BotProfile::new("checkin", "sim_checkin_bot", checkin_bot).first_name("Sim Checkin"))
        .group(Group::new("family", GroupKind::Basic).member("alice").member("bob").bot("checkin"))
        .group(
            Group::new("club", GroupKind::Supergroup)
                .title("The club")
                .username("sim_club")
                .member("alice")
                .member("bob")
                .bot("checkin")
                .topic(12, "签到"),
        )
}
