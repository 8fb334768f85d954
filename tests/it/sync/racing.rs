//! Two writers at once, and one that comes after another.

use tgsignd::backup::log::{Keep, Survey};
use tgsignd::backup::place::Only;
use tgsignd::backup::sync::{History, Outcome, Resolved, RestoreOrder, SyncError};

use super::stores::offers;
use super::{Host, KEY, commit, commit_more, new_generation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writers_at_once_never_both_succeed_and_nothing_is_lost() {
    for offer in offers() {
        for _ in 0..2 {
            let Some(server) = offer.start().await else { continue };
            let mut one = Host::used(&server.url());
            let first = new_generation(commit(&mut one).await);
            let mut two = one.copy();
            one.work();
            two.sign_in("bob", 1002);
            let (of_one, of_two) = tokio::join!(commit(&mut one), commit(&mut two));
            let won = [&of_one, &of_two].iter().filter(|ended| ended.is_ok()).count();
            assert!(won <= 1, "{of_one:?} {of_two:?}");
            for error in [of_one, of_two].into_iter().filter_map(Result::err) {
                assert!(matches!(error, SyncError::Refused(_) | SyncError::Unclear(_)), "{error}");
            }
            assert!(server.names().contains(&first.generation.name));
            // Whoever decides ends it, whatever it came to.
            let inputs = one.inputs(History::Include);
            one.engine.resolve(&Keep::Local, &inputs).await.unwrap();
            assert!(matches!(one.engine.survey().await.unwrap(), Survey::Head(_)));
            let mut fresh = Host::empty(&server.url(), KEY);
            fresh.engine.restore(&RestoreOrder { generation: None, to: None, only: Only::ALL }).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_generation_is_refused_and_left_alone_until_somebody_decides() {
    for offer in offers() {
        let Some(server) = offer.start().await else { continue };
        let mut one = Host::used(&server.url());
        new_generation(commit(&mut one).await);
        let mut stranger = Host::used(&server.url());
        let before = server.names();
        let error = commit(&mut stranger).await.unwrap_err();
        assert!(error.to_string().contains("never backed up or restored here"), "{error}");
        assert_eq!(server.names(), before);

        let inputs = stranger.inputs(History::Include);
        let resolved = stranger.engine.resolve(&Keep::Local, &inputs).await.unwrap();
        assert!(matches!(resolved, Resolved::Committed(Outcome::Committed(_))), "{resolved:?}");
        let error = commit_more(&mut one).await.unwrap_err();
        assert!(error.to_string().contains("another data directory wrote it"), "{error}");

        let resolved = one.engine.resolve(&Keep::Remote(None), &inputs).await.unwrap();
        assert!(matches!(resolved, Resolved::Restored { settle: None, .. }), "{resolved:?}");
        assert_eq!(one.sessions(), stranger.sessions());
        one.restart();
        assert_eq!(commit(&mut one).await.unwrap(), Outcome::Unchanged);
    }
}
