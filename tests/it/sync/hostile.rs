//! A server that loses, cuts, damages, swaps, replays and forges.

use tgsignd::backup::keys::DerivedKeys;
use tgsignd::backup::log::{Keep, Survey};
use tgsignd::backup::manifest::{Manifest, Nonce, ObjectName, Stem};
use tgsignd::backup::place::Only;
use tgsignd::backup::sync::{Level, Resolved, RestoreOrder, SyncError};
use tgsignd::config::secret::Secret;
use webdav_sim::{Fault, Server};

use super::stores::{Store, offers};
use super::{Host, KEY, commit, commit_more, new_generation, profiles, server};

const ALL: RestoreOrder = RestoreOrder { generation: None, to: None, only: Only::ALL };

/// Restores into a new host and says why that is refused; nothing of it is left there.
async fn refused(store: &Store) -> SyncError {
    let mut other = Host::empty(&store.url(), KEY);
    let before = other.files();
    let error = other.engine.restore(&ALL).await.unwrap_err();
    let mut after = other.files();
    after.retain(|file| !file.ends_with("backup-notes.json"));
    assert_eq!(after, before, "{error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_fails_loses_nothing_and_the_next_one_succeeds() {
    for profile in profiles() {
        println!("{}", profile.name);
        let is_first = profile.name == webdav_sim::profiles::APACHE.name;
        let server = Server::start(profile).await.unwrap();
        let mut host = Host::used(&server.url());
        new_generation(commit(&mut host).await);
        let faults = [
            Fault::CutUpload(100),
            Fault::LostAnswer,
            Fault::StoresNothing,
            Fault::StoresPart(50),
            Fault::Status(503, None),
            Fault::Status(507, None),
        ];
        // Only what the connection does depends on the server.
        for fault in faults.into_iter().take(if is_first { usize::MAX } else { 2 }) {
            for kind in ["tgsignd-b-", "tgsignd-m-"] {
                server.fail(fault.clone().on("PUT").at(kind).times(usize::MAX));
                let failed = commit_more(&mut host).await;
                server.heal();
                if fault != Fault::LostAnswer {
                    let error = failed.unwrap_err().to_string();
                    assert!(!error.is_empty() && !error.contains(KEY), "{error}");
                }
                let survey = host.engine.survey().await.unwrap();
                assert!(matches!(survey, Survey::Head(_) | Survey::Landed(_)), "{fault:?} {kind}: {survey:?}");
                new_generation(commit_more(&mut host).await);
            }
        }
        let mut other = Host::empty(&server.url(), KEY);
        other.engine.restore(&ALL).await.unwrap();
        assert_eq!(other.runs(), host.runs());
    }
}

#[tokio::test]
async fn a_server_that_stores_less_than_it_says_is_named() {
    let server = server().await;
    let mut host = Host::used(&server.url());
    server.fail(Fault::StoresPart(50).on("PUT").at("tgsignd-b-").times(9));
    let error = commit(&mut host).await.unwrap_err();
    assert!(matches!(error, SyncError::NotStored(_)) && error.to_string().contains("is its disk full"), "{error}");
    assert!(!server.files().iter().any(|path| path.contains("-b-")), "what is of no use is removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_cut_and_swapped_archives_are_never_restored() {
    for offer in offers() {
        let Some(store) = offer.start().await else { continue };
        let mut host = Host::used(&store.url());
        new_generation(commit(&mut host).await);
        let [core, history] = &store.objects("b")[..] else { panic!("{:?}", store.names()) };
        let (good, other) = (store.read(core), store.read(history));
        let check = |error: SyncError| {
            assert!(matches!(error, SyncError::Damaged { .. } | SyncError::Refused(_)), "{error}");
            assert!(error.to_string().contains(core), "{error}");
        };
        for change in [
            |bytes: &mut Vec<u8>| bytes[200] ^= 1,
            |bytes: &mut Vec<u8>| bytes.truncate(99),
            |bytes: &mut Vec<u8>| bytes.push(0),
        ] {
            store.damage(core, change);
            check(refused(&store).await);
            let verified = host.reader().verify(Level::Ciphertext).await.unwrap();
            assert!(verified[0].result.is_err(), "{verified:?}");
            store.write(core, &good);
        }
        store.write(core, &other);
        check(refused(&store).await);
        store.remove(core);
        check(refused(&store).await);
        store.write(core, &good);
        Host::empty(&store.url(), KEY).engine.restore(&ALL).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_was_altered_or_forged_counts_for_nothing() {
    for offer in offers() {
        let Some(store) = offer.start().await else { continue };
        let mut host = Host::used(&store.url());
        new_generation(commit(&mut host).await);
        let manifest = store.objects("m").remove(0);
        let good = store.read(&manifest);
        store.damage(&manifest, |bytes| bytes[20] ^= 1);
        let error = commit_more(&mut host).await.unwrap_err();
        assert!(matches!(error, SyncError::Refused(_)), "{error}");
        assert!(error.to_string().contains("cut off or overwritten"), "{error}");
        refused(&store).await;
        store.write(&manifest, &good);

        // Somebody who can write to the server, and has another key.
        let stranger = DerivedKeys::from_text(&Secret::new("another text of more than 32 bytes".to_owned())).unwrap();
        let mut content = Manifest::parse(&Stem::default(), &good).unwrap().content;
        content.generation = content.generation.next().unwrap();
        let forged = content.to_bytes(&stranger.signing);
        let name = ObjectName::of_manifest(content.generation, &forged, Nonce([1; 6])).to_text(&Stem::default());
        store.write(&name, &forged);
        for error in [commit_more(&mut host).await.unwrap_err(), refused(&store).await] {
            assert!(matches!(error, SyncError::Untrusted { .. }), "{error}");
            assert!(error.to_string().contains(&stranger.signing.public().to_string()), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_shows_an_older_state_is_found_out() {
    for offer in offers() {
        let Some(store) = offer.start().await else { continue };
        let mut host = Host::used(&store.url());
        new_generation(commit(&mut host).await);
        new_generation(commit_more(&mut host).await);
        let newest = store.objects("m").remove(1);
        store.remove(&newest);
        let check = host.engine.head_check().await.unwrap();
        assert!(matches!(check.survey, Survey::RolledBack { .. }), "{check:?}");
        let before = store.names();
        let error = commit_more(&mut host).await.unwrap_err();
        let told = error.to_string().contains("is gone from the server");
        assert!(matches!(error, SyncError::Refused(_)) && told, "{error}");
        assert_eq!(store.names(), before);

        let inputs = host.inputs(tgsignd::backup::sync::History::Include);
        let resolved = host.engine.resolve(&Keep::Local, &inputs).await.unwrap();
        assert!(matches!(resolved, Resolved::Committed(_)), "{resolved:?}");
        assert!(matches!(host.engine.survey().await.unwrap(), Survey::Head(_)));
    }
}

/// The generation that a new host restores.
async fn restored(store: &Store) -> Result<u64, SyncError> {
    let mut other = Host::empty(&store.url(), KEY);
    let restoration = other.engine.restore(&ALL).await?;
    Ok(restoration.head.manifest.generation.number())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_replayed_never_becomes_the_newest() {
    for offer in offers() {
        let Some(store) = offer.start().await else { continue };
        let mut host = Host::used(&store.url());
        new_generation(commit(&mut host).await);
        let manifest = store.objects("m").remove(0);
        let old: Vec<_> = [store.objects("m"), store.objects("b")].concat();
        let old: Vec<_> = old.into_iter().map(|name| (store.read(&name), name)).collect();
        // Three are kept, so that the first one is deleted.
        for _ in 0..3 {
            new_generation(commit_more(&mut host).await);
        }
        assert!(!store.names().contains(&manifest), "{:?}", store.names());

        // A good generation of ours, put back where it was.
        for (bytes, name) in &old {
            store.write(name, bytes);
        }
        assert_eq!(restored(&store).await.unwrap(), 4);
        assert_eq!(new_generation(commit_more(&mut host).await).generation.manifest.generation.number(), 5);

        // The same bytes under a name that says they are newer than all.
        let name = ObjectName::of_manifest(6.try_into().unwrap(), &old[0].0, Nonce([1; 6])).to_text(&Stem::default());
        store.write(&name, &old[0].0);
        for error in [commit_more(&mut host).await.unwrap_err(), restored(&store).await.unwrap_err()] {
            assert!(error.to_string().contains(&name), "{error}");
        }
        store.remove(&name);
        assert_eq!(restored(&store).await.unwrap(), 5);
        new_generation(commit(&mut host).await);
    }
}

#[tokio::test]
async fn validators_that_lie_are_counted_and_the_digest_decides() {
    let server = server().await;
    let mut host = Host::used(&server.url());
    new_generation(commit(&mut host).await);
    server.draw_tags();
    for _ in 0..3 {
        let check = host.engine.head_check().await.unwrap();
        assert!(matches!(check.survey, Survey::Head(_)), "{check:?}");
    }
    assert_eq!(host.engine.notebook().disagreements, 2, "each answer after the first has another tag");
}

#[tokio::test]
async fn a_full_disk_and_a_wrong_password_say_so() {
    let server = server().await;
    let mut host = Host::used(&server.url());
    new_generation(commit(&mut host).await);
    server.leave_free(Some(10));
    let error = commit_more(&mut host).await.unwrap_err().to_string();
    assert!(error.contains("no space left"), "{error}");
    server.leave_free(None);
    new_generation(commit_more(&mut host).await);
}
