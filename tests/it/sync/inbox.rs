//! What is pushed from another machine.

use std::collections::BTreeMap;
use std::fs;

use tgsignd::backup::manifest::LARGEST_LETTER;
use tgsignd::backup::place::Only;
use tgsignd::backup::sync::{Delivery, RestoreOrder, SyncError, Verdict};

use super::{Host, KEY, commit, new_generation, server};

fn workdir() -> BTreeMap<String, Vec<u8>> {
    [("tgsignd.toml".to_owned(), b"version = 1\n".to_vec()), ("a/b.toml".to_owned(), b"# more\n".to_vec())].into()
}

#[tokio::test]
async fn a_workdir_and_a_session_arrive_and_are_answered_once() {
    let server = server().await;
    let (laptop, mut daemon) = (Host::used(&server.url()), Host::empty(&server.url(), KEY));
    let mut sender = laptop.reader();
    let pushed = sender.push_workdir(&workdir()).await.unwrap();
    assert_eq!(sender.reply(pushed).await.unwrap(), None);
    let letters = daemon.engine.inbox_poll().await.unwrap();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert!(matches!(&letter.delivery, Delivery::Workdir(files) if *files == workdir()), "{letter:?}");
    daemon.engine.answer(letter, Verdict::Applied("3 tasks".to_owned())).await.unwrap();
    assert!(daemon.engine.inbox_poll().await.unwrap().is_empty());
    let reply = sender.reply(pushed).await.unwrap().unwrap();
    assert!(reply.applied && reply.message == "3 tasks", "{reply:?}");
    assert_eq!(server.files(), Vec::<String>::new(), "letter and answer are gone");

    let session = fs::read(laptop.datadir().join("sessions/alice.session")).unwrap();
    sender.push_session(&"alice".parse().unwrap(), &session).await.unwrap();
    let letters = daemon.engine.inbox_poll().await.unwrap();
    assert!(
        matches!(&letters[0].delivery, Delivery::Session { account, file } if account.as_str() == "alice" && *file.expose() == session)
    );
    let sealed = server.read(&server.files()[0]).unwrap();
    let text = String::from_utf8_lossy(&sealed);
    assert!(text.starts_with("age-encryption.org/v1") && !text.contains("alice"));
    assert!(!format!("{letters:?}").contains("auth_key"), "{letters:?}");
}

#[tokio::test]
async fn what_is_old_copied_or_from_a_stranger_is_unusable_and_answered() {
    let server = server().await;
    let (laptop, mut daemon) = (Host::used(&server.url()), Host::empty(&server.url(), KEY));
    let mut sender = laptop.reader();
    sender.push_workdir(&workdir()).await.unwrap();
    let path = server.files().remove(0);
    let sealed = server.read(&path).unwrap();
    let letter = daemon.engine.inbox_poll().await.unwrap().remove(0);
    daemon.engine.answer(&letter, Verdict::Applied(String::new())).await.unwrap();

    // The server shows it again: under its name, when nobody remembers the answer, and under another name.
    for name in server.files() {
        server.remove(&name);
    }
    server.write(&path, &sealed);
    server.write("backup/tgsignd-i-workdir-0123456789ab.age", &sealed);
    server.write("backup/tgsignd-i-session-0123456789ac.age", b"age-encryption.org/v1\nnonsense");
    server.write("backup/tgsignd-i-session-0123456789ad.age", &vec![0; LARGEST_LETTER + (2 << 20)]);
    let mut stranger = Host::empty(&server.url(), "another text of more than 32 bytes");
    stranger.engine.push_workdir(&workdir()).await.unwrap();
    let letters = daemon.engine.inbox_poll().await.unwrap();
    assert_eq!(letters.len(), 5);
    let mut reasons: Vec<String> = Vec::new();
    for letter in &letters {
        let Delivery::Unusable(why) = &letter.delivery else { panic!("{letter:?}") };
        reasons.push(why.clone());
        daemon.engine.answer(letter, Verdict::Refused(why.clone())).await.unwrap();
    }
    for expected in ["a newer one was applied", "another name"] {
        assert!(reasons.iter().any(|why| why.contains(expected)), "{reasons:?}");
    }
    assert!(daemon.engine.inbox_poll().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_letter_that_was_applied_before_the_backup_was_made_is_old_on_the_next_disk() {
    let server = server().await;
    let (laptop, mut daemon) = (Host::used(&server.url()), Host::used(&server.url()));
    laptop.reader().push_workdir(&workdir()).await.unwrap();
    let path = server.files().remove(0);
    let sealed = server.read(&path).unwrap();
    let letter = daemon.engine.inbox_poll().await.unwrap().remove(0);
    daemon.engine.answer(&letter, Verdict::Applied(String::new())).await.unwrap();
    new_generation(commit(&mut daemon).await);

    let mut next = Host::empty(&server.url(), KEY);
    next.engine.restore(&RestoreOrder { generation: None, to: None, only: Only::ALL }).await.unwrap();
    server.remove(&server.files().into_iter().find(|name| name.contains("-a-")).unwrap());
    server.write(&path, &sealed);
    let letters = next.engine.inbox_poll().await.unwrap();
    let Delivery::Unusable(why) = &letters[0].delivery else { panic!("{letters:?}") };
    assert!(why.contains("a newer one was applied"), "{why}");
}

#[tokio::test]
async fn what_is_no_workdir_or_session_is_not_sent() {
    let server = server().await;
    let laptop = Host::used(&server.url());
    let mut sender = laptop.reader();
    let script = BTreeMap::from([("../evil.sh".to_owned(), Vec::new())]);
    let errors =
        [sender.push_workdir(&script).await, sender.push_session(&"alice".parse().unwrap(), b"no session").await];
    for error in errors {
        assert!(matches!(error, Err(SyncError::Push(_))), "{error:?}");
    }
    assert_eq!(server.files(), Vec::<String>::new());
}
