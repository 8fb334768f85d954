//! `tgsignd backup` and `tgsignd push`, as a person types them.

use serde_json::Value;
use tgsignd::ledger::DirectoryLock;
use webdav_sim::Server;

use super::host::PASSWORD;
use super::{Host, KEY, profiles, server};
use crate::kit::Invocation;

fn json(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_backs_up_looks_verifies_and_restores_on_every_profile() {
    for profile in profiles() {
        println!("{}", profile.name);
        let server = Server::start(profile).await.unwrap();
        let host = Host::used(&server.url());
        let said = host.tgsignd(&["backup", "now"]).ends().await.success();
        assert!(said.contains("Generation 1 is on the server and was read back"), "{said}");
        let again = json(&host.tgsignd(&["backup", "now", "--format", "json"]).ends().await.success());
        assert_eq!(again[0]["committed"], false);
        let listed = json(&host.tgsignd(&["backup", "list", "--format", "json"]).ends().await.success());
        assert_eq!((listed.len(), &listed[0]["generation"], &listed[0]["current"]), (1, &1.into(), &true.into()));
        for (arguments, level) in
            [(&["backup", "verify"][..], "ciphertext"), (&["backup", "verify", "--read-data"], "decrypted")]
        {
            assert!(host.tgsignd(arguments).ends().await.success().contains(level));
        }
        let other = Host::empty(&server.url(), KEY);
        let said = other.tgsignd(&["backup", "restore"]).ends().await.success();
        assert!(said.contains("Sessions: alice"), "{said}");
        assert_eq!((other.sessions(), other.runs()), (host.sessions(), host.runs()));
        let to = other.datadir().join("elsewhere");
        let to = to.to_str().unwrap();
        other.tgsignd(&["backup", "restore", "--to", to, "--generation", "1"]).ends().await.success();
        assert!(std::path::Path::new(to).join("sessions/alice.session").exists());
    }
}

#[tokio::test]
async fn unreachable_empty_and_wrong_key_are_three_answers() {
    let server = server().await;
    let host = Host::used(&server.url());
    let empty = host.tgsignd(&["backup", "restore"]).ends().await;
    empty.fails_with(1, &["there is no backup at", "the server answers"]);
    host.tgsignd(&["backup", "list"]).ends().await.fails_with(1, &["there is no backup at"]);
    host.tgsignd(&["backup", "now"]).ends().await.success();

    let wrong = Host::empty(&server.url(), "another text of more than 32 bytes");
    for arguments in [&["backup", "restore"][..], &["backup", "list"]] {
        wrong.tgsignd(arguments).ends().await.fails_with(78, &["not trusted here", "TG_SIGNER_BACKUP_ENCRYPTION_KEY"]);
    }
    drop(server);
    for arguments in [&["backup", "restore"][..], &["backup", "list"]] {
        host.tgsignd(arguments).ends().await.fails_with(75, &["cannot be reached"]);
    }
}

#[tokio::test]
async fn who_holds_the_data_directory_is_named_and_looking_needs_no_lock() {
    let server = server().await;
    let host = Host::used(&server.url());
    host.tgsignd(&["backup", "now"]).ends().await.success();
    let lock = DirectoryLock::acquire(&host.datadir().join("state/lock")).unwrap();
    let holder = format!("held by process {}", std::process::id());
    for arguments in [&["backup", "now"][..], &["backup", "restore"], &["backup", "resolve", "--keep", "local"]] {
        host.tgsignd(arguments).ends().await.fails_with(75, &[&holder]);
    }
    let session = host.tgsignd(&["push", "session", "alice"]).ends().await;
    session.fails_with(75, &["two hosts must not use one"]);
    for arguments in [&["backup", "list"][..], &["backup", "verify"], &["backup", "probe"], &["backup", "resolve"]] {
        host.tgsignd(arguments).ends().await.success();
    }
    drop(lock);
}

#[tokio::test]
async fn a_decision_is_made_after_both_sides_were_shown() {
    let server = server().await;
    let (one, two) = (Host::used(&server.url()), Host::used(&server.url()));
    one.tgsignd(&["backup", "now"]).ends().await.success();
    two.tgsignd(&["backup", "now"]).ends().await.fails_with(1, &["never backed up or restored here", "backup resolve"]);
    let shown = two.tgsignd(&["backup", "resolve"]).ends().await;
    shown.fails_with(1, &["--keep local", "--keep remote"]);
    assert!(shown.stdout.contains("Here:") && shown.stdout.contains("There:"), "{shown:?}");
    two.tgsignd(&["backup", "resolve", "--keep", "local"]).ends().await.success();
    one.tgsignd(&["backup", "resolve", "--keep", "remote"]).ends().await.success();
    assert_eq!(one.sessions(), two.sessions());
}

#[tokio::test]
async fn the_key_is_printed_as_age_reads_it_and_made_where_there_is_none() {
    let server = server().await;
    let host = Host::used(&server.url());
    let identity = |text: &str| text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).unwrap().to_owned();
    let printed = host.tgsignd(&["backup", "key"]).ends().await.success();
    assert_eq!(identity(&printed), identity(&host.tgsignd(&["backup", "key"]).ends().await.success()));
    assert!(printed.contains("# recipient: age1") && printed.contains("ed25519:"), "{printed}");
    host.write_workdir("version = 1\n");
    let first = host.tgsignd(&["backup", "key"]).ends().await.success();
    let second = host.tgsignd(&["backup", "key"]).ends().await.success();
    assert!(first.contains("nothing uses it yet") && identity(&first) != identity(&second));
    host.tgsignd(&["backup", "now"]).ends().await.fails_with(78, &["[backup]"]);
}

#[tokio::test]
async fn the_file_that_was_printed_is_an_identity() {
    let server = server().await;
    let (host, other) = (Host::used(&server.url()), Host::used(&server.url()));
    host.write_workdir("version = 1\n");
    let printed = host.tgsignd(&["backup", "key"]).ends().await.success();
    let file = host.write_secret("identity", &printed);
    let recipient = printed.lines().find_map(|line| line.strip_prefix("# recipient: ")).unwrap();
    let settings = |recipient: &str| {
        format!(
            "version = 1\n[backup]\nurl = \"{}\"\nusername = \"alice\"\npassword = \"{PASSWORD}\"\nremote_path = \
             \"/backup/\"\nrecipients = [\"{recipient}\"]\nidentity = {{ file = \"{}\" }}\n",
            server.url(),
            file.display()
        )
    };
    host.write_workdir(&settings(recipient));
    assert!(host.tgsignd(&["backup", "key"]).ends().await.success().contains(recipient));
    host.tgsignd(&["backup", "now"]).ends().await.success();
    assert!(host.tgsignd(&["backup", "verify", "--read-data"]).ends().await.success().contains("decrypted"));
    let empty = Host::empty(&server.url(), KEY);
    empty.write_workdir(&settings(recipient));
    empty.tgsignd(&["backup", "restore"]).ends().await.success();
    assert_eq!(empty.sessions(), host.sessions());

    // Nobody could open here what would be sealed.
    let stranger = other.tgsignd(&["backup", "key"]).ends().await.success();
    let stranger = stranger.lines().find_map(|line| line.strip_prefix("# recipient: ")).unwrap();
    host.write_workdir(&settings(stranger));
    for command in [&["backup", "now"][..], &["check", "--resolve"]] {
        host.tgsignd(command).ends().await.fails_with(78, &["identity opens nothing that is sealed", recipient]);
    }
}

#[tokio::test]
async fn nothing_changed_is_said_only_when_the_server_has_it_still() {
    let server = server().await;
    let host = Host::used(&server.url());
    host.tgsignd(&["backup", "now"]).ends().await.success();
    let said = host.tgsignd(&["backup", "now"]).ends().await.success();
    assert!(said.contains("Nothing changed"), "{said}");
    for file in server.files() {
        server.remove(&file);
    }
    host.tgsignd(&["backup", "now"]).ends().await.fails_with(1, &["our newest generation is gone", "backup resolve"]);
    drop(server);
    host.tgsignd(&["backup", "now"]).ends().await.fails_with(75, &["cannot be reached"]);
}

#[tokio::test]
async fn who_only_looks_may_look_at_another_server() {
    let (server, elsewhere) = (server().await, server().await);
    let (host, other) = (Host::used(&server.url()), Host::used(&elsewhere.url()));
    host.tgsignd(&["backup", "now"]).ends().await.success();
    other.tgsignd(&["backup", "now"]).ends().await.success();
    host.write_workdir(&other.workdir());
    host.tgsignd(&["backup", "now"])
        .ends()
        .await
        .fails_with(78, &["it belongs to the backup at", "move the file away"]);
    for arguments in [&["backup", "probe"][..], &["backup", "list"], &["backup", "verify"]] {
        host.tgsignd(arguments).ends().await.success();
    }
    let to = host.datadir().join("elsewhere");
    host.tgsignd(&["backup", "restore", "--to", to.to_str().unwrap()]).ends().await.success();
    host.write_workdir(&other.workdir().replace("/backup/", "/backup"));
    host.tgsignd(&["backup", "list"]).ends().await.fails_with(1, &["/backup-…", "a folder ends in /"]);
}

#[tokio::test]
async fn a_wrong_key_is_no_damage() {
    let server = server().await;
    let host = Host::used(&server.url());
    host.tgsignd(&["backup", "now"]).ends().await.success();
    let wrong = Host::empty(&server.url(), "another text of more than 32 bytes");
    for arguments in [&["backup", "verify"][..], &["backup", "verify", "--read-data"]] {
        wrong.tgsignd(arguments).ends().await.fails_with(78, &["not trusted here"]);
    }
}

#[tokio::test]
async fn a_container_with_variables_only_restores() {
    let server = server().await;
    let host = Host::used(&server.url());
    host.tgsignd(&["backup", "now"]).ends().await.success();
    let folder = tempfile::tempdir().unwrap();
    let (workdir, datadir) = (folder.path().join("data/workdir"), folder.path().join("data"));
    let invocation = Invocation::new(["backup", "restore"]).variable("TGSIGND_WORKDIR", &workdir);
    let invocation = invocation
        .variable("TGSIGND_DATADIR", &datadir)
        .variable("TG_SIGNER_BACKUP_WEBDAV_URL", server.url())
        .variable("TG_SIGNER_BACKUP_WEBDAV_USERNAME", "alice")
        .variable("TG_SIGNER_BACKUP_WEBDAV_PASSWORD", PASSWORD)
        .variable("TG_SIGNER_BACKUP_REMOTE_PATH", "/backup/")
        .variable("TG_SIGNER_BACKUP_ENCRYPTION_KEY", KEY);
    invocation.ends().await.success();
    assert!(workdir.join("tgsignd.toml").exists() && datadir.join("sessions/alice.session").exists());
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let server = server().await;
    let (host, stranger) =
        (Host::used(&server.url()), Host::empty(&server.url(), "another text of more than 32 bytes"));
    for arguments in ["now", "list", "verify", "probe", "resolve", "restore"] {
        for host in [&host, &stranger] {
            let ended = host.tgsignd(&["-vv", "backup", arguments]).ends().await;
            let shown = format!("{}{}", ended.stdout, ended.stderr);
            for secret in [PASSWORD, KEY, "another text of", "AGE-SECRET-KEY"] {
                assert!(!shown.contains(secret), "{arguments}: {shown}");
            }
        }
    }
}
