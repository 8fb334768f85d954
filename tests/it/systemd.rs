//! What systemd is told, heard by a socket in its place.

use chrono::{TimeDelta, Utc};
use telegram_sim::World;
use tokio::net::UnixDatagram;
use tokio::sync::mpsc;
use webdav_sim::{Fault, Server, profiles};

use crate::kit::{Invocation, Stage, soon, within_limit};

/// The end of `NOTIFY_SOCKET` where systemd listens.
struct Manager {
    messages: mpsc::UnboundedReceiver<String>,
}

impl Manager {
    /// Listens, and has the daemon told where.
    fn of(stage: &Stage, invocation: Invocation) -> (Self, Invocation) {
        let path = stage.datadir().with_file_name("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let (heard, messages) = mpsc::unbounded_channel();
        // At once, as systemd does: whoever tells waits while the socket is full.
        tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while let Ok(length) = socket.recv(&mut bytes).await {
                let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
                if heard.send(message.trim_end().to_owned()).is_err() {
                    return;
                }
            }
        });
        (Self { messages }, invocation.variable("NOTIFY_SOCKET", path))
    }

    /// The next datagram.
    async fn next(&mut self) -> String {
        within_limit(self.messages.recv(), || "a message to systemd".to_owned()).await.unwrap()
    }

    /// The next datagram but for what comes again and again.
    async fn told(&mut self) -> String {
        loop {
            let told = self.next().await;
            if told != "WATCHDOG=1" && !told.starts_with("STATUS=") {
                return told;
            }
        }
    }

    /// The next status that says this.
    async fn shows(&mut self, text: &str) {
        let shown =
            async { while !self.next().await.strip_prefix("STATUS=").is_some_and(|status| status.contains(text)) {} };
        within_limit(shown, || format!("a status with {text:?}")).await;
    }

    /// What `systemctl reload` waits for.
    async fn is_reloaded(&mut self) {
        let reloading = self.told().await;
        let (first, second) = reloading.split_once('\n').unwrap_or_else(|| panic!("{reloading:?}"));
        assert_eq!(first, "RELOADING=1");
        let since: i128 = second.strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(0 < since && since <= microseconds_since_the_boot(), "{since} is an instant of systemd's clock");
        assert_eq!(self.told().await, "READY=1");
    }
}

/// The time that the machine slept included, as `CLOCK_MONOTONIC` has it not.
fn microseconds_since_the_boot() -> i128 {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds = uptime.split('.').next().unwrap();
    (seconds.parse::<i128>().unwrap() + 1) * 1_000_000
}

#[tokio::test]
async fn the_start_every_reload_and_the_end_are_told() {
    let stage = Stage::new().await;
    let (mut manager, invocation) = Manager::of(&stage, stage.tgsignd(&["run"]));
    let mut daemon = stage.daemon_as(invocation).await;
    assert_eq!(manager.told().await, "READY=1");
    manager.shows("0 tasks, 1 accounts; no run planned").await;

    daemon.sighup();
    manager.is_reloaded().await;
    stage.write("broken.toml", "[tasks.broken\n");
    manager.shows("; the workdir has 1 errors, the last good configuration is in force").await;
    daemon.sighup();
    manager.is_reloaded().await;

    daemon.sigterm();
    assert_eq!(manager.told().await, "STOPPING=1");
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
}

/// Elsewhere the grace time is 8 s, and this bot takes longer.
#[tokio::test]
async fn the_unit_gives_a_run_more_time_to_end_than_other_signals_do() {
    let world = "[accounts.alice]\nphone = '+10000000001'\nuser_id = 1001\nfirst_name = 'Alice'\nsigned_in = true\n\
                 [bots.sluggish]\nusername = 'sluggish_bot'\n[[bots.sluggish.on]]\ntext = '/sign'\nafter = '10s'\n\
                 send = { text = '签到成功' }\n";
    let stage = Stage::of(World::from_toml(world).unwrap()).await;
    stage.sign_in("alice", 1001);
    let schedule = soon();
    stage.task("sign", &format!("chat = '@sluggish_bot'\nsteps = [{{ send = '/sign' }}]\nschedule = '{schedule}'"));
    let (mut manager, invocation) = Manager::of(&stage, stage.tgsignd(&["run"]));
    let mut daemon = stage.daemon_as(invocation).await;
    stage.sees_message("alice", "sluggish").await;
    daemon.sigterm();
    while manager.told().await != "STOPPING=1" {}
    assert_eq!(daemon.exit().await.code(), Some(0), "{}", daemon.log.text());
    assert_eq!(daemon.run_ended("sign").await.field("outcome"), "succeeded");
}

#[tokio::test]
async fn the_loop_shows_as_often_as_the_unit_wants_that_it_turns_and_what_comes_next() {
    let stage = Stage::new().await;
    let (schedule, at) = (soon(), Utc::now() + TimeDelta::seconds(4));
    stage.task("sign", &format!("chat = '@quick_bot'\nsteps = [{{ send = '/sign' }}]\nschedule = '{schedule}'"));
    let (mut manager, invocation) = Manager::of(&stage, stage.tgsignd(&["run"]).variable("WATCHDOG_USEC", "1000000"));
    let daemon = stage.daemon_as(invocation).await;
    assert_eq!(daemon.run_ended("sign").await.field("outcome"), "succeeded");
    manager.shows(&format!("next run at {} {schedule}", (at + TimeDelta::days(1)).format("%F"))).await;
    // So many take longer than anybody waits here, unless the unit's limit is heeded.
    for _ in 0..20 {
        while manager.next().await != "WATCHDOG=1" {}
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_start_that_waits_for_the_backup_asks_for_more_time() {
    let (stage, server) = (Stage::new().await, Server::start(profiles::APACHE).await.unwrap());
    server.fail(Fault::Status(503, None).on_all().times(1000));
    let invocation = stage
        .tgsignd(&["run"])
        .variable("TG_SIGNER_BACKUP_WEBDAV_URL", server.url())
        .variable("TG_SIGNER_BACKUP_WEBDAV_USERNAME", server.username())
        .variable("TG_SIGNER_BACKUP_WEBDAV_PASSWORD", server.password())
        .variable("TG_SIGNER_BACKUP_ENCRYPTION_KEY", "a secret of more than thirty-two bytes");
    let (mut manager, invocation) = Manager::of(&stage, invocation);
    let daemon = stage.spawn(invocation);
    // Twice: one would be sent before the wait, and it does not last for ever.
    for _ in 0..2 {
        let told = manager.told().await;
        let more: u64 =
            told.strip_prefix("EXTEND_TIMEOUT_USEC=").unwrap_or_else(|| panic!("{told:?}")).parse().unwrap();
        assert!(more >= 30_000_000, "{more} is longer than the pause between two of them");
    }
    server.heal();
    while manager.told().await != "READY=1" {}
    daemon.ready().await.stop().await;
}
