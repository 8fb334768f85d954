use grammers_client::message::InputMessage;
use grammers_client::{peer::Peer, tl};
use telegram_sim::{Content, DataCentre, Event};

use crate::support::{Connected, buttons, next_deletion, next_message, rpc_error};
use crate::world;

#[tokio::test]
async fn a_basic_group_numbers_messages_per_member() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let mut bob = Connected::to(&centre, "bob");
    // Alice already has a message, so her numbers run ahead of Bob's.
    centre.bot_says("checkin", "alice", "hello");
    let mut dialogs = alice.client.iter_dialogs();
    let mut family = None;
    while let Some(dialog) = dialogs.next().await.unwrap() {
        if let Peer::Group(group) = dialog.peer()
            && group.title() == Some("family")
        {
            family = Some(dialog.peer_ref());
        }
    }
    let family = family.expect("it is in the list");
    let mut bobs = bob.stream(false).await;
    bob.client.get_me().await.unwrap();
    let mut alices = alice.stream(false).await;
    let sent = alice.client.send_message(family, "hi all").await.unwrap();
    assert_eq!(sent.id(), 2);
    let heard = next_message(&mut bobs).await;
    assert_eq!((heard.id(), heard.text()), (1, "hi all"));
    assert_eq!(heard.sender().and_then(|sender| sender.id().bare_id()), Some(1001));
    // The bot of the group answers both.
    assert_eq!(next_message(&mut bobs).await.text(), "alice: hi all");
    assert_eq!(next_message(&mut alices).await.text(), "alice: hi all");
    // A reply keeps its meaning in every numbering.
    let reply = InputMessage::new().text("again").reply_to(Some(sent.id()));
    alice.client.send_message(family, reply).await.unwrap();
    assert_eq!(next_message(&mut bobs).await.reply_to_message_id(), Some(heard.id()));
    assert_eq!(next_message(&mut bobs).await.text(), "alice: again");
    // Deleting for everyone deletes every copy.
    alice.client.delete_messages(family, &[sent.id()]).await.unwrap();
    assert_eq!(next_deletion(&mut bobs).await, [heard.id()]);
    let kept: Vec<String> = centre.messages("bob", "family").iter().map(|m| m.text().to_owned()).collect();
    assert_eq!(kept, ["alice: hi all", "again", "alice: again"]);
}

#[tokio::test]
async fn a_topic_keeps_its_messages_together() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let mut bob = Connected::to(&centre, "bob");
    let mut bobs = bob.stream(false).await;
    bob.client.get_me().await.unwrap();
    let mut alices = alice.stream(false).await;
    let club = alice.peer("sim_club").await;
    let topics = tl::functions::messages::GetForumTopics {
        peer: club.into(),
        q: None,
        offset_date: 0,
        offset_id: 0,
        offset_topic: 0,
        limit: 10,
    };
    let tl::enums::messages::ForumTopics::Topics(topics) = alice.client.invoke(&topics).await.unwrap();
    let titles: Vec<(i32, String)> = topics
        .topics
        .into_iter()
        .map(|topic| match topic {
            tl::enums::ForumTopic::Topic(topic) => (topic.id, topic.title),
            tl::enums::ForumTopic::Deleted(topic) => panic!("{topic:?}"),
        })
        .collect();
    assert_eq!(titles, [(1, "General".to_owned()), (12, "签到".to_owned())]);

    // Replying to the topic's first message is how grammers writes to a topic.
    let to_topic = InputMessage::new().text("/checkin@sim_checkin_bot").reply_to(Some(12));
    let sent = alice.client.send_message(club, to_topic).await.unwrap();
    assert_eq!(sent.id(), 13);
    let question = next_message(&mut alices).await;
    assert_eq!(question.text(), "Press the button");
    assert_eq!(buttons(question.reply_markup())[0][0].1, "checkin");
    let heard = next_message(&mut bobs).await;
    assert_eq!((heard.id(), heard.reply_to_message_id()), (13, Some(12)));
    let answer = alice.press(club, question.id(), "checkin").await.unwrap();
    assert_eq!(answer.message.as_deref(), Some("签到成功 +5"));
    alice.client.send_message(club, "elsewhere").await.unwrap();

    let seen = centre.messages("bob", "club");
    let placed: Vec<(Option<i32>, &str)> = seen.iter().map(|message| (message.topic, message.text())).collect();
    let expected = [
        (Some(12), "/checkin@sim_checkin_bot"),
        (Some(12), "done"),
        (Some(1), "elsewhere"),
        (Some(1), "alice: elsewhere"),
    ];
    assert_eq!(placed, expected);
    let logged = centre.wait_for_entry(|entry| matches!(entry.event, Event::MessageSent { .. })).await;
    let Event::MessageSent { chat, topic, reply_to, .. } = logged.event else { unreachable!() };
    assert_eq!((&*chat, topic, reply_to), ("club", Some(12), None));

    let replies = tl::functions::messages::GetReplies {
        peer: club.into(),
        msg_id: 12,
        offset_id: 0,
        offset_date: 0,
        add_offset: 0,
        limit: 10,
        max_id: 0,
        min_id: 0,
        hash: 0,
    };
    let tl::enums::messages::Messages::ChannelMessages(replies) = alice.client.invoke(&replies).await.unwrap() else {
        panic!("a supergroup answers with channel messages");
    };
    let ids: Vec<i32> = replies.messages.iter().map(tl::enums::Message::id).collect();
    assert_eq!(ids, [14, 13]);
    let gone = InputMessage::new().text("x").reply_to(Some(99));
    let unknown = alice.client.send_message(club, gone).await.unwrap();
    assert_eq!(unknown.reply_to_message_id(), None);
}

#[tokio::test]
async fn strangers_write_and_only_own_messages_are_deleted() {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let mut alices = alice.stream(false).await;
    let club = alice.peer("sim_club").await;
    centre.member_says("club", "Zoe", Some(12), Content::text("spam").buttons(&[("ad", "ad")]));
    let spam = next_message(&mut alices).await;
    assert_eq!((spam.id(), spam.text()), (13, "spam"));
    assert_eq!(spam.sender().and_then(|sender| sender.name().map(ToOwned::to_owned)).as_deref(), Some("Zoe"));
    let refused = alice.client.delete_messages(club, &[13]).await;
    assert_eq!(rpc_error(refused), (403, "MESSAGE_DELETE_FORBIDDEN".into()));
    let own = alice.client.send_message(club, "mine").await.unwrap();
    assert_eq!(alice.client.delete_messages(club, &[own.id()]).await.unwrap(), 1);
    assert!(centre.messages("alice", "club").iter().all(|message| message.text() != "mine"));
}

#[tokio::test]
async fn access_hashes_and_membership_are_checked() {
    let centre = DataCentre::start(world()).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    let bob = Connected::to(&centre, "bob");
    let alices_bot = alice.peer("sim_checkin_bot").await;
    let stolen = bob.client.send_message(alices_bot, "hi").await.map(|_| ());
    assert_eq!(rpc_error(stolen), (400, "PEER_ID_INVALID".into()));
    let alices_club = alice.peer("sim_club").await;
    let stolen = bob.client.send_message(alices_club, "hi").await.map(|_| ());
    assert_eq!(rpc_error(stolen), (400, "CHANNEL_INVALID".into()));

    let carol = Connected::to(&centre, "carol");
    let token = carol.client.request_login_code("+10000000003", crate::support::API_HASH).await.unwrap();
    carol.client.sign_in(&token, "24680").await.unwrap();
    let club = carol.peer("sim_club").await;
    assert_eq!(carol.client.iter_messages(club).total().await.unwrap(), 1);
    let refused = carol.client.send_message(club, "hi").await.map(|_| ());
    assert_eq!(rpc_error(refused), (403, "CHAT_WRITE_FORBIDDEN".into()));
    assert!(alice.client.resolve_username("nobody_here").await.unwrap().is_none());
}
