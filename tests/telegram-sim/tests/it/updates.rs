use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use grammers_client::tl;
use grammers_client::update::Update;
use grammers_session::Session;
use telegram_sim::{DataCentre, Event, Fault, Mode};

use crate::support::{Connected, LIMIT, buttons, next, next_edit, next_message, rpc_error, session};
use crate::world;

fn send(peer: grammers_session::types::PeerRef, text: &str, random_id: i64) -> tl::functions::messages::SendMessage {
    tl::functions::messages::SendMessage {
        no_webpage: false,
        silent: false,
        background: false,
        clear_draft: false,
        noforwards: false,
        update_stickersets_order: false,
        invert_media: false,
        allow_paid_floodskip: false,
        peer: peer.into(),
        reply_to: None,
        message: text.into(),
        random_id,
        reply_markup: None,
        entities: None,
        schedule_date: None,
        schedule_repeat_period: None,
        send_as: None,
        quick_reply_shortcut: None,
        effect: None,
        allow_paid_stars: None,
        suggested_post: None,
        rich_message: None,
    }
}

#[tokio::test]
async fn history_search_and_messages_by_number() {
    let centre = DataCentre::start(world().compress_answers(true)).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    for number in 1..=60 {
        alice.client.send_message(bot, format!("number {number}")).await.unwrap();
    }
    centre
        .wait_for(|entries| entries.iter().filter(|e| matches!(e.event, Event::MessageSent { .. })).count() == 60)
        .await;
    let mut history = alice.client.iter_messages(bot);
    assert_eq!(history.total().await.unwrap(), 120);
    let mut ids = Vec::new();
    while let Some(message) = history.next().await.unwrap() {
        ids.push(message.id());
    }
    assert_eq!(ids, (1..=120).rev().collect::<Vec<_>>());
    let mut oldest_first = alice.client.iter_messages(bot).reverse(true);
    let mut reversed = Vec::new();
    while let Some(message) = oldest_first.next().await.unwrap() {
        reversed.push(message.id());
    }
    assert_eq!(reversed, (1..=120).collect::<Vec<_>>());

    let mut found = alice.client.search_messages(bot).query("NUMBER 7").sent_by_self();
    assert_eq!(found.next().await.unwrap().unwrap().text(), "number 7");
    assert!(found.next().await.unwrap().is_none());
    let by_id = alice.client.get_messages_by_id(bot, &[1, 999]).await.unwrap();
    assert_eq!(by_id[0].as_ref().unwrap().text(), "number 1");
    // grammers hands an empty message out where Telegram says that there is none.
    let missing = &by_id[1].as_ref().unwrap().raw;
    assert!(matches!(missing, tl::enums::Message::Empty(_)), "{missing:?}");
    let long = alice.client.send_message(bot, "x".repeat(4097)).await.map(|_| ());
    assert_eq!(rpc_error(long), (400, "MESSAGE_TOO_LONG".into()));
}

#[tokio::test]
async fn dialogs_show_the_newest_first_with_what_is_unread() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    centre.clock().advance(Duration::from_secs(10));
    centre.member_says("club", "Zoe", None, "old");
    centre.clock().advance(Duration::from_secs(10));
    centre.bot_says("checkin", "alice", "new");
    let mut dialogs = alice.client.iter_dialogs();
    let mut listed = Vec::new();
    while let Some(dialog) = dialogs.next().await.unwrap() {
        let tl::enums::Dialog::Dialog(raw) = &dialog.raw else { panic!("no folders here") };
        let name = dialog.peer().name().unwrap_or_default().to_owned();
        let last = dialog.last_message.as_ref().map(|message| message.text().to_owned());
        listed.push((name, last, raw.unread_count));
    }
    let expected = [
        ("Sim Checkin".to_owned(), Some("new".to_owned()), 1),
        ("The club".to_owned(), Some("old".to_owned()), 2),
        ("family".to_owned(), None, 0),
    ];
    assert_eq!(listed, expected);
    let bot = alice.peer("sim_checkin_bot").await;
    alice.client.mark_as_read(bot).await.unwrap();
    let first = alice.client.iter_dialogs().next().await.unwrap().unwrap();
    let tl::enums::Dialog::Dialog(raw) = &first.raw else { panic!("no folders here") };
    assert_eq!(raw.unread_count, 0);
}

#[tokio::test]
async fn every_connection_of_an_account_gets_what_happens() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut phone = Connected::to(&centre, "alice");
    let mut laptop = Connected::to(&centre, "alice");
    let (mut on_phone, mut on_laptop) = (phone.stream(false).await, laptop.stream(false).await);
    let bot = phone.peer("sim_checkin_bot").await;
    laptop.client.get_me().await.unwrap();
    assert_eq!(centre.open_connections(), 2);
    phone.client.send_message(bot, "hi").await.unwrap();
    let Update::NewMessage(own) = next(&mut on_laptop).await else { panic!("the other device learns of it") };
    assert!(own.outgoing());
    assert_eq!(next_message(&mut on_laptop).await.text(), "alice: hi");
    assert_eq!(next_message(&mut on_phone).await.text(), "alice: hi");
}

#[tokio::test]
async fn what_was_missed_is_caught_up_after_a_restart() {
    let centre = DataCentre::start(world()).await.unwrap();
    let session = session(&centre, "alice");
    let mut alice = Connected::with(session.clone());
    // Supergroups are caught up only by who knows their access hash.
    alice.peer("sim_club").await;
    let bot = alice.peer("sim_checkin_bot").await;
    let mut stream = alice.stream(true).await;
    alice.client.get_me().await.unwrap();
    centre.bot_says("checkin", "alice", "one");
    centre.member_says("club", "Zoe", None, "club one");
    let mut texts =
        [next_message(&mut stream).await.text().to_owned(), next_message(&mut stream).await.text().to_owned()];
    texts.sort();
    assert_eq!(texts, ["club one", "one"]);
    let to_edit = alice.client.send_message(bot, "/checkin").await.unwrap();
    let question = next_message(&mut stream).await;
    stream.sync_update_state().await.unwrap();
    drop(stream);
    alice.disconnect().await;

    centre.bot_says("checkin", "alice", "two");
    centre.member_says("club", "Zoe", None, "club two");
    let other = Connected::to(&centre, "alice");
    let peer = other.peer("sim_checkin_bot").await;
    other.press(peer, question.id(), "checkin").await.unwrap();
    other.client.delete_messages(peer, &[to_edit.id()]).await.unwrap();

    let mut alice = Connected::with(session);
    let mut stream = alice.stream(true).await;
    let (mut new, mut edited, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    while new.len() < 2 || edited.is_empty() || deleted.is_empty() {
        match next(&mut stream).await {
            Update::NewMessage(message) => new.push(message.text().to_owned()),
            Update::MessageEdited(message) => edited.push(message.text().to_owned()),
            Update::MessageDeleted(deletion) => deleted.extend(deletion.messages().to_vec()),
            _ => {}
        }
    }
    new.sort();
    assert_eq!(new, ["club two", "two"]);
    assert_eq!(edited, ["done"]);
    assert_eq!(deleted, [to_edit.id()]);
}

#[tokio::test]
async fn a_long_absence_comes_in_slices() {
    let centre = DataCentre::start(world()).await.unwrap();
    let session = session(&centre, "alice");
    let mut alice = Connected::with(session.clone());
    let mut stream = alice.stream(true).await;
    alice.client.get_me().await.unwrap();
    centre.bot_says("checkin", "alice", "0");
    next_message(&mut stream).await;
    stream.sync_update_state().await.unwrap();
    assert_eq!(session.updates_state().await.unwrap().pts, 2);
    drop(stream);
    alice.disconnect().await;
    for number in 1..=250 {
        centre.bot_says("checkin", "alice", number.to_string());
    }
    let mut alice = Connected::with(session);
    let mut stream = alice.stream(true).await;
    for number in 1..=250 {
        assert_eq!(next_message(&mut stream).await.text(), number.to_string());
    }
    let calls = centre.log().into_iter().filter(|entry| entry.event == Event::Call { method: "updates.getDifference" });
    assert_eq!(calls.count(), 3);
}

#[tokio::test]
async fn a_random_id_counts_once_unless_forgotten() {
    for remember in [true, false] {
        let centre = DataCentre::start(world().remember_random_ids(remember)).await.unwrap();
        let alice = Connected::to(&centre, "alice");
        let bot = alice.peer("sim_checkin_bot").await;
        alice.client.invoke(&send(bot, "once", 42)).await.unwrap();
        let again = alice.client.invoke(&send(bot, "once", 42)).await;
        let sent = centre.messages("alice", "checkin").iter().filter(|message| message.outgoing).count();
        if remember {
            assert_eq!(rpc_error(again), (500, "RANDOM_ID_DUPLICATE".into()));
            assert_eq!(sent, 1);
        } else {
            again.unwrap();
            assert_eq!(sent, 2);
        }
        centre
            .wait_for_entry(|entry| matches!(entry.event, Event::MessageSent { duplicate: true, random_id: 42, .. }))
            .await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_recognised_by_the_random_id() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    centre.inject_for("alice", "messages.sendMessage", Fault::DropAfter);
    // grammers repeats the call with the same random_id on a new connection.
    let result = alice.client.invoke(&send(bot, "once", 43)).await;
    assert_eq!(rpc_error(result), (500, "RANDOM_ID_DUPLICATE".into()));
    let texts: Vec<String> = centre.messages("alice", "checkin").iter().map(|m| m.text().to_owned()).collect();
    assert_eq!(texts, ["once", "alice: once"]);
}

#[tokio::test]
async fn tomorrow_comes_by_the_worlds_clock() {
    let start = DateTime::parse_from_rfc3339("2026-03-04T12:00:00Z").unwrap().to_utc();
    let centre = DataCentre::start(world().clock_start(start).clock_speed(0.0)).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    let mut stream = alice.stream(false).await;
    let mut answers = Vec::new();
    for wait in [0, 11, 1] {
        centre.clock().advance(Duration::from_hours(wait));
        alice.client.send_message(bot, "/checkin").await.unwrap();
        let question = next_message(&mut stream).await;
        assert_eq!(buttons(question.reply_markup())[0][0].1, "checkin");
        answers.push(alice.press(bot, question.id(), "checkin").await.unwrap().message.unwrap());
        if answers.len() != 2 {
            next_edit(&mut stream).await;
        }
    }
    assert_eq!(answers, ["签到成功 +5", "今天已签到", "签到成功 +5"]);
    let dates: Vec<_> = centre.messages("alice", "checkin").iter().map(|message| message.date - start).collect();
    assert_eq!(dates.first(), Some(&TimeDelta::zero()));
    assert_eq!(dates.last(), Some(&TimeDelta::hours(12)));
}

#[tokio::test]
async fn what_happens_in_a_supergroup_during_an_outage_is_fetched_afterwards() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let club = alice.peer("sim_club").await;
    let mut stream = alice.stream(true).await;
    alice.client.get_me().await.unwrap();
    alice.client.send_message(club, "/checkin").await.unwrap();
    next_message(&mut stream).await;
    // The common state is known from the first private message on.
    centre.bot_says("checkin", "alice", "private");
    next_message(&mut stream).await;

    centre.set_mode(Mode::CloseOnAccept);
    centre.kill_connections();
    let ended = |entry: &telegram_sim::Entry| matches!(entry.event, Event::Disconnected { .. });
    centre.wait_for_entry(ended).await;
    centre.member_says("club", "Zoe", None, "during the outage");
    centre.bot_says("checkin", "alice", "meanwhile");
    centre.set_mode(Mode::Normal);
    // grammers 0.11 drops edits from the last part of a channel difference, so only new messages are looked for.
    let mut missed = vec!["during the outage", "meanwhile"];
    while !missed.is_empty() {
        // The stream reports the outage and goes on.
        let update = tokio::time::timeout(LIMIT, stream.next()).await.expect("an update arrives");
        if let Ok(Update::NewMessage(message)) = update {
            missed.retain(|text| *text != message.text());
        }
    }
}
