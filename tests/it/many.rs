//! A full house: everybody is signed in, nobody twice.

use std::collections::BTreeMap;
use std::fmt::Write;

use telegram_sim::{Account, BotAction, BotContext, BotEvent, BotEventKind, BotProfile, Content, Event, World};

use crate::kit::{Stage, soon};

const ACCOUNTS: usize = 50;
const BOTS: usize = 20;

fn bot(event: &BotEvent, _: &mut BotContext<'_>) -> Vec<BotAction> {
    match &event.kind {
        BotEventKind::Text { .. } => vec![BotAction::send(Content::text("请点击").buttons(&[("签到", "checkin")]))],
        BotEventKind::Button { .. } => vec![BotAction::alert("签到成功")],
        _ => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_runs_are_proven_and_none_happens_twice() {
    let mut world = World::new().log_limit(200_000);
    for number in 0..ACCOUNTS {
        let id = i64::try_from(number).unwrap() + 20_000;
        world = world.account(Account::new(&format!("user{number}"), &format!("+2{id:010}"), id).signed_in());
    }
    for number in 0..BOTS {
        world = world.bot(BotProfile::new(&format!("bot{number}"), format!("many{number}_bot"), bot));
    }
    let stage = Stage::of(world).await;
    for number in 0..ACCOUNTS {
        stage.sign_in(&format!("user{number}"), i64::try_from(number).unwrap() + 20_000);
    }
    let (time, mut tasks) = (soon(), String::new());
    for number in 0..BOTS {
        writeln!(
            tasks,
            "[tasks.t{number}]\naccounts = 'all'\nstagger = '0s'\nschedule = '{time}'\nchat = '@many{number}_bot'\n\
             steps = [{{ send = '/checkin' }}, {{ click = '签到' }}]",
        )
        .unwrap();
    }
    stage.write("tasks.toml", &tasks);
    let daemon = stage.daemon().await;
    let ended = daemon.log.wait_for(ACCOUNTS * BOTS, |line| line.message() == "run ended").await;
    let outcomes = ended.iter().fold(BTreeMap::<_, usize>::new(), |mut counts, line| {
        *counts.entry(line.field("outcome")).or_default() += 1;
        counts
    });
    assert_eq!(outcomes, [("succeeded", ACCOUNTS * BOTS)].into());

    let mut done: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for entry in stage.centre.log() {
        let account = entry.account.unwrap_or_default().to_string();
        match entry.event {
            Event::MessageSent { chat, .. } => done.entry((account, chat.to_string())).or_default().0 += 1,
            Event::Click { chat, .. } => done.entry((account, chat.to_string())).or_default().1 += 1,
            _ => {}
        }
    }
    assert_eq!(done.len(), ACCOUNTS * BOTS);
    let wrong: Vec<_> = done.iter().filter(|(_, counts)| **counts != (1, 1)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    daemon.status_when(|status| status.running.is_empty()).await;
    let metrics = daemon.metrics().await;
    let labels = [("task", "t7"), ("outcome", "succeeded")];
    #[expect(clippy::cast_precision_loss, reason = "50 is exact")]
    let everybody = ACCOUNTS as f64;
    assert_eq!(metrics.metric("tgsignd_runs_total", &labels), Some(everybody));
    daemon.stop().await;
}
