//! One owner of the sessions at a time.

use std::time::Duration;
use tgsignd::backup::log::{Hold, TAKEOVER_WAIT, Wait};
use tgsignd::backup::place::Only;
use tgsignd::backup::sync::RestoreOrder;
use webdav_sim::Server;

use super::{Host, KEY, commit, new_generation, profiles};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_boot_waits_until_the_one_before_lets_go() {
    for profile in profiles() {
        println!("{}", profile.name);
        let server = Server::start(profile).await.unwrap();
        let mut old = Host::used(&server.url());
        assert_eq!(old.engine.take_over().await.unwrap(), Hold::Holder, "nobody is waited for");
        new_generation(commit(&mut old).await);

        // A container on an empty disk knows neither its instance nor its ledger yet.
        let mut new = Host::empty(&server.url(), KEY);
        let epoch = new.engine.announce().await.unwrap();
        assert!(epoch > old.engine.epoch());
        let wait = new.engine.look_for_holders(Duration::ZERO).await.unwrap();
        assert_eq!(wait, Wait::Wait { holders: vec![old.engine.epoch()], left: TAKEOVER_WAIT });
        assert_eq!(old.engine.lookout().hold().await.unwrap(), Hold::Superseded(epoch));
        assert_eq!(old.engine.head_check().await.unwrap().hold, Hold::Superseded(epoch));
        assert_eq!(new.engine.look_for_holders(TAKEOVER_WAIT).await.unwrap(), Wait::Go, "who says nothing is gone");
        old.engine.release().await.unwrap();
        assert_eq!(new.engine.look_for_holders(Duration::ZERO).await.unwrap(), Wait::Go);
        new.engine.restore(&RestoreOrder { generation: None, to: None, only: Only::ALL }).await.unwrap();

        let mut third = Host::empty(&server.url(), KEY);
        new.engine.release().await.unwrap();
        assert_eq!(third.engine.take_over().await.unwrap(), Hold::Holder);
        let records = server.files().into_iter().filter(|path| path.contains("-t-") || path.contains("-r-")).count();
        assert_eq!(records, 1, "those of boots that ended are removed");
    }
}

#[tokio::test]
async fn nobody_lets_go_of_what_another_process_announced() {
    let server = super::server().await;
    let mut owner = Host::used(&server.url());
    owner.engine.take_over().await.unwrap();
    new_generation(commit(&mut owner).await);
    let mut other = Host::empty(&server.url(), KEY);
    other.engine.restore(&RestoreOrder { generation: None, to: None, only: Only::ALL }).await.unwrap();
    // It knows the owner's boot from the manifest, and ends before it has one of its own.
    other.restart();
    let before = server.files();
    other.engine.release().await.unwrap();
    assert_eq!(server.files(), before);

    // Of an announcement without an answer nobody knows whether it counts.
    server.fail(webdav_sim::Fault::StoresNothing.on("PUT").at("-t-"));
    other.engine.announce().await.unwrap_err();
    other.engine.announce().await.unwrap();
    other.engine.release().await.unwrap();
    let released = server.files().into_iter().filter(|file| file.contains("-r-")).count();
    assert_eq!(released, 2);
    assert_eq!(
        other.engine.look_for_holders(Duration::ZERO).await.unwrap(),
        Wait::Wait { holders: vec![owner.engine.epoch()], left: TAKEOVER_WAIT }
    );
}

#[tokio::test]
async fn records_of_strangers_drive_nobody_away() {
    let server = super::server().await;
    let mut owner = Host::used(&server.url());
    owner.engine.take_over().await.unwrap();
    let mut stranger = Host::empty(&server.url(), "another text of more than 32 bytes");
    stranger.engine.announce().await.unwrap();
    let mut neighbour = Host::used(&server.url());
    neighbour.engine.announce().await.unwrap();
    assert_eq!(owner.engine.lookout().hold().await.unwrap(), Hold::Holder, "another key, and another instance");
    server.write("backup/tgsignd-t-0000000099-010101010101.json", b"{}");
    assert_eq!(owner.engine.lookout().hold().await.unwrap(), Hold::Holder);
}
