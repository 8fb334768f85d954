use grammers_client::media::Media;
use grammers_client::tl;
use telegram_sim::{Account, DataCentre, Event};

use crate::support::{Connected, buttons, next_deletion, next_edit, next_message, rpc_error};
use crate::world;

#[tokio::test]
async fn a_check_in_from_text_to_popup() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let bot = alice.peer("SIM_checkin_bot").await;
    let mut stream = alice.stream(false).await;
    let sent = alice.client.send_message(bot, "/checkin").await.unwrap();
    assert_eq!((sent.id(), sent.text()), (1, "/checkin"));

    let question = next_message(&mut stream).await;
    assert_eq!(question.text(), "Press the button");
    let expected = [[("签到".to_owned(), "checkin".to_owned()), ("no".to_owned(), "none".to_owned())]];
    assert_eq!(buttons(question.reply_markup()), expected);

    let answer = alice.press(bot, question.id(), "checkin").await.unwrap();
    assert_eq!((answer.alert, answer.message.as_deref()), (true, Some("签到成功 +5")));
    let edited = next_edit(&mut stream).await;
    assert_eq!((edited.id(), edited.text()), (question.id(), "done"));

    // The edited message has no buttons any more; a new one is for the second time.
    assert_eq!(rpc_error(alice.press(bot, question.id(), "checkin").await), (400, "DATA_INVALID".into()));
    alice.client.send_message(bot, "/checkin").await.unwrap();
    let again = next_message(&mut stream).await;
    let answer = alice.press(bot, again.id(), "checkin").await.unwrap();
    assert_eq!((answer.alert, answer.message.as_deref()), (false, Some("今天已签到")));
    let empty = alice.press(bot, again.id(), "none").await.unwrap();
    assert_eq!((empty.alert, empty.message), (false, None));

    let sent: Vec<(String, i32)> = centre
        .log()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::MessageSent { chat, text, message_id, .. } if &*chat == "checkin" => Some((text, message_id)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [("/checkin".to_owned(), 1), ("/checkin".to_owned(), 3)]);
    let click = centre.wait_for_entry(|entry| matches!(entry.event, Event::Click { .. })).await;
    assert_eq!(click.account.as_deref(), Some("alice"));
    let Event::Click { message_id, data, button_text, .. } = click.event else { unreachable!() };
    assert_eq!((message_id, data.as_slice(), button_text.as_str()), (2, &b"checkin"[..], "签到"));
}

#[tokio::test]
async fn pictures_are_downloaded_as_they_are() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    let mut stream = alice.stream(false).await;
    alice.client.send_message(bot, "/photo").await.unwrap();
    let message = next_message(&mut stream).await;
    let Some(Media::Photo(photo)) = message.media() else { panic!("a picture was sent") };
    let mut bytes = Vec::new();
    let mut download = alice.client.iter_download(&photo);
    while let Some(chunk) = download.next().await.unwrap() {
        bytes.extend(chunk);
    }
    let sent = centre.messages("alice", "checkin").pop().unwrap();
    let Some(telegram_sim::Media::Photo(original)) = sent.media() else { panic!("a picture was sent") };
    assert_eq!(bytes, original.bytes());
    assert_eq!(message.text(), "look");
}

#[tokio::test]
async fn keyboards_starts_dice_and_deletions() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    let mut stream = alice.stream(false).await;

    alice.client.send_message(bot, "/menu").await.unwrap();
    let menu = next_message(&mut stream).await;
    let Some(tl::enums::ReplyMarkup::ReplyKeyboardMarkup(keyboard)) = menu.reply_markup() else {
        panic!("a keyboard was sent");
    };
    let tl::enums::KeyboardButtonRow::Row(row) = &keyboard.rows[0];
    assert_eq!(row.buttons.len(), 2);

    alice.client.send_message(bot, "/delete").await.unwrap();
    assert_eq!(next_deletion(&mut stream).await, [menu.id()]);

    alice.client.send_message(bot, "/start invite-1").await.unwrap();
    assert_eq!(next_message(&mut stream).await.text(), "started \"invite-1\"");
    let start = tl::functions::messages::StartBot {
        bot: bot.into(),
        peer: bot.into(),
        random_id: 77,
        start_param: "deep".into(),
    };
    alice.client.invoke(&start).await.unwrap();
    assert_eq!(next_message(&mut stream).await.text(), "started \"deep\"");

    let dice = tl::functions::messages::SendMedia {
        silent: false,
        background: false,
        clear_draft: false,
        noforwards: false,
        update_stickersets_order: false,
        invert_media: false,
        allow_paid_floodskip: false,
        peer: bot.into(),
        reply_to: None,
        media: tl::types::InputMediaDice { emoticon: "🎲".into() }.into(),
        message: String::new(),
        random_id: 78,
        reply_markup: None,
        entities: None,
        schedule_date: None,
        schedule_repeat_period: None,
        send_as: None,
        quick_reply_shortcut: None,
        effect: None,
        allow_paid_stars: None,
        suggested_post: None,
    };
    alice.client.invoke(&dice).await.unwrap();
    let thrown = next_message(&mut stream).await;
    let value: i32 = thrown.text().strip_prefix("🎲 ").unwrap().parse().unwrap();
    assert!((1..=6).contains(&value));
}

#[tokio::test]
async fn own_messages_can_be_edited_and_deleted() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    let sent = alice.client.send_message(bot, "one").await.unwrap();
    alice.client.edit_message(bot, sent.id(), "two").await.unwrap();
    let seen = |index: usize| centre.messages("alice", "checkin")[index].clone();
    assert_eq!(seen(0).text(), "two");
    assert!(seen(0).edited.is_some());
    let same = alice.client.edit_message(bot, sent.id(), "two").await;
    assert_eq!(rpc_error(same), (400, "MESSAGE_NOT_MODIFIED".into()));
    let others = alice.client.edit_message(bot, 2, "mine now").await;
    assert_eq!(rpc_error(others), (403, "MESSAGE_AUTHOR_REQUIRED".into()));
    assert_eq!(alice.client.delete_messages(bot, &[sent.id(), 99]).await.unwrap(), 1);
    assert_eq!(seen(0).text(), "alice: one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_accounts_check_in_at_once() {
    const ACCOUNTS: usize = 300;
    let mut world = world();
    for number in 0..ACCOUNTS {
        let id = i64::try_from(number).unwrap() + 20_000;
        world = world.account(Account::new(&format!("user{number}"), &format!("+2{id:010}"), id).signed_in());
    }
    let centre = DataCentre::start(world).await.unwrap();
    let mut users = tokio::task::JoinSet::new();
    for number in 0..ACCOUNTS {
        let centre = centre.clone();
        users.spawn(async move {
            let mut user = Connected::to(&centre, &format!("user{number}"));
            let bot = user.peer("sim_checkin_bot").await;
            let mut stream = user.stream(false).await;
            user.client.send_message(bot, "/checkin").await.unwrap();
            let question = next_message(&mut stream).await;
            let answer = user.press(bot, question.id(), "checkin").await.unwrap();
            assert_eq!(answer.message.as_deref(), Some("签到成功 +5"));
            user.disconnect().await;
        });
    }
    users.join_all().await;
    let clicks = centre.log().into_iter().filter(|entry| matches!(entry.event, Event::Click { .. }));
    assert_eq!(clicks.count(), ACCOUNTS);
}
