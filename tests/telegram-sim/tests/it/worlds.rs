//! The example file, and the program that serves it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use telegram_sim::{DataCentre, Event, World};

use crate::support::{Connected, buttons, next_deletion, next_edit, next_message, rpc_error};

const EXAMPLE: &str = include_str!("../../examples/world.toml");

#[tokio::test]
async fn the_example_world_plays() {
    let world = World::from_toml(EXAMPLE).unwrap().callback_timeout(std::time::Duration::from_millis(50));
    let centre = DataCentre::start(world.clock_speed(0.0)).await.unwrap();
    let mut alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    let mut stream = alice.stream(false).await;

    let date = centre.clock().now() + chrono::TimeDelta::hours(8);
    for expected in ["签到成功 +5", "今天已签到"] {
        alice.client.send_message(bot, "/checkin").await.unwrap();
        let question = next_message(&mut stream).await;
        assert_eq!(question.text(), "Press the button, alice");
        assert_eq!(buttons(question.reply_markup())[0][1].1, "https://example.com/");
        let answer = alice.press(bot, question.id(), "checkin").await.unwrap();
        assert_eq!(answer.message.as_deref(), Some(expected));
        if answer.alert {
            let edited = next_edit(&mut stream).await;
            assert_eq!(edited.text(), format!("签到成功 on {}", date.format("%Y-%m-%d")));
        }
    }

    alice.client.send_message(bot, "/start invite-7").await.unwrap();
    assert_eq!(next_message(&mut stream).await.text(), "Invited by number 7");
    alice.client.send_message(bot, "/captcha").await.unwrap();
    let question = next_message(&mut stream).await;
    assert!(question.photo().is_some());
    let wrong = alice.press(bot, question.id(), "color:blue").await.unwrap();
    assert_eq!((wrong.alert, wrong.message.as_deref()), (true, Some("blue is wrong")));
    let right = alice.press(bot, question.id(), "color:red").await.unwrap();
    assert_eq!((right.alert, right.message.as_deref()), (false, Some("right")));
    assert_eq!(next_deletion(&mut stream).await, [question.id()]);
    let done = next_message(&mut stream).await;
    assert_eq!((done.text(), done.reply_to_message_id()), ("签到成功", None));

    // The answer is no longer due.
    alice.client.send_message(bot, "/captcha").await.unwrap();
    let again = next_message(&mut stream).await;
    alice.press(bot, again.id(), "color:red").await.unwrap();
    let late = alice.press(bot, question.id(), "color:blue").await;
    assert_eq!(rpc_error(late), (400, "MESSAGE_ID_INVALID".into()));

    let start = alice.client.send_message(bot, "/start").await.unwrap();
    loop {
        let message = next_message(&mut stream).await;
        if message.text() == "Welcome" {
            assert_eq!(message.reply_to_message_id(), Some(start.id()));
            break;
        }
    }
}

#[tokio::test]
async fn a_button_without_answer_times_out() {
    let world = World::from_toml(EXAMPLE).unwrap().callback_timeout(std::time::Duration::from_millis(20));
    let centre = DataCentre::start(world).await.unwrap();
    let alice = Connected::to(&centre, "alice");
    let bot = alice.peer("sim_checkin_bot").await;
    let content = telegram_sim::Content::text("old").buttons(&[("blue", "color:blue")]);
    let message = centre.bot_says("checkin", "alice", content);
    let pressed = alice.press(bot, message, "color:blue").await;
    assert_eq!(rpc_error(pressed), (400, "BOT_RESPONSE_TIMEOUT".into()));
    centre.wait_for_entry(|entry| matches!(entry.event, Event::Click { .. })).await;
}

#[test]
fn the_program_prints_what_to_paste_and_what_it_receives() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_tgsignd-sim"))
        .args(["serve", "--speed", "86400"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    let mut config = String::new();
    while !config.starts_with("test_data_centres") {
        config.clear();
        assert_ne!(output.read_line(&mut config).unwrap(), 0, "the program ended early");
    }
    let parsed: toml::Table = config.parse().unwrap();
    let centre = &parsed["test_data_centres"][0];
    assert_eq!((centre["id"].as_integer(), centre["key_seed"].as_str()), (Some(2), Some("tgsignd-sim")));
    let mut client = TcpStream::connect(centre["address"].as_str().unwrap()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    let mut line = String::new();
    while !line.contains("disconnected: a frame announces") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the program ended early");
    }
    let killed = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(server.wait().unwrap().success());
    let mut last = String::new();
    output.read_to_string(&mut last).unwrap();
    assert!(last.ends_with("Stopped.\n"));
}

#[test]
fn the_program_names_what_is_wrong_with_a_world() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("world.toml");
    std::fs::write(&file, "[accounts.alice]\nphone = \"+10000000001\"\nuser_id = 1\npasword = \"x\"\n").unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tgsignd-sim")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, message) = run(&["serve", "--world", file.to_str().unwrap()]);
    assert_eq!(code, Some(78));
    assert!(message.contains("world.toml: line 4, column 1: unknown field `pasword`"), "{message}");
    let (code, message) = run(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(1));
    assert!(message.contains("not a loopback address"), "{message}");
    assert_eq!(run(&["serve", "--world", "/does/not/exist"]).0, Some(78));
}
