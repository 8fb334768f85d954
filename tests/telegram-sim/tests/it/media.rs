//! Albums, files, polls, forwards, channels, silence and anonymity, through an unmodified client.

use grammers_client::tl;
use grammers_client::tl::enums::InlineButtonType as Kind;
use grammers_client::update::Message;
use telegram_sim::{Button, ButtonAction, Content, DataCentre, Document, Event, Markup, Media, Photo, Poll};

use crate::support::{Connected, next_message, rpc_error};
use crate::world;

fn raw(message: &Message) -> &tl::types::Message {
    let inner: &grammers_client::message::Message = message;
    match &inner.raw {
        tl::enums::Message::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

async fn stage() -> (DataCentre, Connected, grammers_client::client::UpdateStream) {
    let centre = DataCentre::start(world()).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let stream = alice.stream(false).await;
    alice.client.get_me().await.unwrap();
    (centre, alice, stream)
}

#[tokio::test]
async fn the_pictures_of_an_album_have_a_number_in_common() {
    let (centre, _alice, mut heard) = stage().await;
    for (colour, text) in [([1, 2, 3], "both"), ([3, 2, 1], "")] {
        let picture = Content { album: Some("pair".to_owned()), ..Content::text(text).photo(Photo::solid(colour, 8)) };
        centre.bot_says("checkin", "alice", picture);
    }
    centre.bot_says("checkin", "alice", Content::default().photo(Photo::solid([1, 1, 1], 8)));
    let mut albums = Vec::new();
    for _ in 0..3 {
        albums.push(next_message(&mut heard).await.grouped_id());
    }
    assert!(albums[0].is_some() && albums[0] == albums[1] && albums[2].is_none(), "{albums:?}");
}

#[tokio::test]
async fn files_are_fetched_with_the_hash_of_their_reader() {
    let (centre, alice, mut heard) = stage().await;
    let file = Document::new("a.txt", "text/plain", b"hello".repeat(2000));
    centre.bot_says(
        "checkin",
        "alice",
        Content { media: Some(Media::Document(file.clone().into())), ..Content::text("f") },
    );
    let message = next_message(&mut heard).await;
    let Some(tl::enums::MessageMedia::Document(media)) = &raw(&message).media else { panic!("{message:?}") };
    let Some(tl::enums::Document::Document(document)) = &media.document else { panic!("{media:?}") };
    assert_eq!((document.mime_type.as_str(), document.size), ("text/plain", 10_000));
    let location = tl::types::InputDocumentFileLocation {
        id: document.id,
        access_hash: document.access_hash,
        file_reference: document.file_reference.clone(),
        thumb_size: String::new(),
    };
    let get = |location: tl::types::InputDocumentFileLocation| tl::functions::upload::GetFile {
        precise: false,
        cdn_supported: false,
        location: location.into(),
        offset: 0,
        limit: 1024 * 1024,
    };
    let fetched = alice.client.invoke(&get(location.clone())).await.unwrap();
    let tl::enums::upload::File::File(fetched) = fetched else { panic!("{fetched:?}") };
    assert_eq!(fetched.bytes, file.bytes());
    let wrong = tl::types::InputDocumentFileLocation { access_hash: 1, ..location };
    assert_eq!(rpc_error(alice.client.invoke(&get(wrong)).await), (400, "LOCATION_INVALID".to_owned()));
}

#[tokio::test]
async fn polls_are_voted_in_until_they_are_closed() {
    let (centre, alice, mut heard) = stage().await;
    let peer = alice.peer("sim_checkin_bot").await;
    let poll = |closed| Content {
        media: Some(Media::Poll(Poll { answers: vec!["no".to_owned(), "yes".to_owned()], closed })),
        ..Content::text("today?")
    };
    let open = centre.bot_says("checkin", "alice", poll(false));
    let closed = centre.bot_says("checkin", "alice", poll(true));
    let message = next_message(&mut heard).await;
    let Some(tl::enums::MessageMedia::Poll(media)) = &raw(&message).media else { panic!("{message:?}") };
    let tl::enums::Poll::Poll(shown) = &media.poll;
    let tl::enums::TextWithEntities::Entities(question) = &shown.question;
    assert_eq!((message.text(), question.text.as_str(), shown.answers.len()), ("", "today?", 2));
    next_message(&mut heard).await;
    let vote = |msg_id, option: &[u8]| tl::functions::messages::SendVote {
        peer: peer.into(),
        msg_id,
        options: vec![option.to_vec()],
    };
    alice.client.invoke(&vote(open, b"1")).await.unwrap();
    assert_eq!(next_message(&mut heard).await.text(), "voted yes");
    let voted = |event: &Event| matches!(event, Event::Voted { answer, .. } if answer == "yes");
    assert!(centre.log().iter().any(|entry| voted(&entry.event)));
    assert_eq!(rpc_error(alice.client.invoke(&vote(open, b"7")).await), (400, "OPTION_INVALID".to_owned()));
    assert_eq!(rpc_error(alice.client.invoke(&vote(closed, b"1")).await), (400, "MESSAGE_POLL_CLOSED".to_owned()));
}

#[tokio::test]
async fn a_login_button_tells_its_page_who_opens_it() {
    let (centre, alice, mut heard) = stage().await;
    let peer = alice.peer("sim_checkin_bot").await;
    let action = ButtonAction::Login { url: "https://sign.example/a?b=1".to_owned(), id: 7 };
    let link = Button::url("link", "https://sign.example/");
    let app = Button { text: "app".to_owned(), action: ButtonAction::MiniApp("https://sign.example/app".to_owned()) };
    let login = Button { text: "login".to_owned(), action };
    let content = Content { markup: Some(Markup::Inline(vec![vec![login, link, app]])), ..Content::text("page") };
    let id = centre.bot_says("checkin", "alice", content);
    let message = next_message(&mut heard).await;
    let Some(tl::enums::ReplyMarkup::ReplyInlineMarkup(markup)) = &raw(&message).reply_markup else {
        panic!("{message:?}")
    };
    let tl::enums::KeyboardInlineButtonRow::Row(row) = &markup.rows[0];
    let kinds: Vec<_> =
        row.buttons.iter().map(|tl::enums::KeyboardInlineButton::Button(button)| &button.r#type).collect();
    assert!(matches!(kinds.as_slice(), [Kind::UrlAuth(_), Kind::Url(_), Kind::WebView(_)]), "{kinds:?}");
    let request = |button_id| tl::functions::messages::RequestUrlAuth {
        peer: Some(peer.into()),
        msg_id: Some(id),
        button_id: Some(button_id),
        url: None,
        in_app_origin: None,
    };
    let asked = alice.client.invoke(&request(7)).await.unwrap();
    assert!(matches!(asked, tl::enums::UrlAuthResult::Request(request) if request.domain == "sign.example"));
    assert_eq!(rpc_error(alice.client.invoke(&request(8)).await), (400, "BUTTON_ID_INVALID".to_owned()));
    let accept = tl::functions::messages::AcceptUrlAuth {
        write_allowed: false,
        share_phone_number: false,
        peer: Some(peer.into()),
        msg_id: Some(id),
        button_id: Some(7),
        url: None,
        match_code: None,
    };
    let accepted = alice.client.invoke(&accept).await.unwrap();
    let tl::enums::UrlAuthResult::Accepted(accepted) = accepted else { panic!("{accepted:?}") };
    assert_eq!(accepted.url.as_deref(), Some("https://sign.example/a?b=1&id=1001&hash=simulated"));
}

#[tokio::test]
async fn only_bots_post_in_a_channel_and_the_silenced_are_refused() {
    let world =
        world().group(telegram_sim::Group::channel("news").username("sim_news").member("alice").bot("checkin")).group(
            telegram_sim::Group::new("quiet", telegram_sim::GroupKind::Supergroup)
                .username("sim_quiet")
                .member("alice")
                .member("bob")
                .muted("alice")
                .bot("checkin"),
        );
    let centre = DataCentre::start(world).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let bob = Connected::to(&centre, "bob");
    let mut heard = alice.stream(false).await;
    let (news, quiet) = (alice.peer("sim_news").await, alice.peer("sim_quiet").await);
    for peer in [news, quiet] {
        let refused = alice.client.send_message(peer, "hi").await;
        assert_eq!(rpc_error(refused), (403, "CHAT_WRITE_FORBIDDEN".to_owned()));
    }
    centre.bot_says_in("checkin", "news", None, Content::text("post").buttons(&[("签到", "checkin")]));
    let post = next_message(&mut heard).await;
    assert!(raw(&post).post && raw(&post).from_id.is_none(), "{post:?}");
    // Members who may not write still press buttons.
    alice.press(news, post.id(), "checkin").await.unwrap();
    let theirs = bob.peer("sim_quiet").await;
    bob.client.send_message(theirs, "hello").await.unwrap();
    assert_eq!(next_message(&mut heard).await.text(), "hello");
}

#[tokio::test]
async fn the_anonymous_administrator_is_the_group_itself() {
    let (centre, alice, mut heard) = stage().await;
    let club = alice.peer("sim_club").await;
    centre.bot_says_in("checkin", "club", Some(12), Content { anonymous: true, ..Content::text("who?") });
    let message = next_message(&mut heard).await;
    let from = raw(&message).from_id.clone();
    assert_eq!(from, Some(raw(&message).peer_id.clone()));
    assert_eq!(club.id.bare_id(), message.peer_id().bare_id());
}

#[tokio::test]
async fn a_forwarded_message_says_so_and_its_bot_hears_of_it() {
    let (centre, alice, mut heard) = stage().await;
    let bot = alice.peer("sim_checkin_bot").await;
    let id = centre.bot_says("checkin", "alice", "voucher 4711");
    next_message(&mut heard).await;
    alice.client.forward_messages(bot, &[id], bot).await.unwrap();
    assert_eq!(next_message(&mut heard).await.text(), "forwarded voucher 4711");
    let messages = centre.messages("alice", "checkin");
    assert!(messages[1].content.forwarded && messages[1].outgoing, "{messages:?}");
}
