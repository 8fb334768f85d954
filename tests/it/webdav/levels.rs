//! The probe finds what each server was measured to do, and leaves nothing behind.

use tgsignd::backup::remote::{Level, Primitive, ProbeReport};
use webdav_sim::{Fault, Server, profiles};

use super::{directory, remote};

fn works(report: &ProbeReport, primitive: Primitive) -> bool {
    report.findings.iter().any(|finding| finding.primitive == primitive && finding.works)
}

#[tokio::test]
async fn every_server_gets_the_level_it_was_measured_at() {
    for (profile, level) in [
        (profiles::APACHE, Level::Guarded),
        (profiles::LIGHTTPD, Level::Guarded),
        (profiles::DAV_SERVER, Level::Guarded),
        (profiles::SABRE, Level::Guarded),
        (profiles::NEXTCLOUD, Level::Guarded),
        (profiles::WSGIDAV, Level::GuardedCoarse),
        (profiles::NGINX, Level::CreateOnly),
        (profiles::RCLONE, Level::CreateOnly),
        (profiles::NPM, Level::CreateOnly),
        (profiles::X_NET, Level::CreateOnly),
        (profiles::ALIST, Level::CreateOnly),
        (profiles::DUFS, Level::DetectOnly),
        (profiles::COPYPARTY, Level::DetectOnly),
        (profiles::JIANGUOYUN, Level::DetectOnly),
        (profiles::NGINX_STOCK, Level::Unusable),
    ] {
        let server = Server::start(profile).await.unwrap();
        if profile == profiles::WSGIDAV {
            server.stop_clock();
        }
        let report = remote(&server.url()).probe().await.unwrap();
        assert_eq!(report.level(), level, "{}: {:#?}", profile.name, report.findings);
        assert_eq!(server.files(), Vec::<String>::new(), "{}", profile.name);
        assert_eq!(report.requests, server.requests().len() as u64, "{}", profile.name);
        // A service with 600 requests in half an hour is not used up by it.
        assert!(report.requests <= 40, "{}: {} requests", profile.name, report.requests);
    }
}

#[tokio::test]
async fn a_server_that_claims_to_store_is_found_out() {
    for fault in [Fault::StoresNothing, Fault::StoresPart(5)] {
        let (server, remote) = directory(profiles::LIGHTTPD).await;
        server.fail(fault.on("PUT").times(100));
        let report = remote.probe().await.unwrap();
        assert_eq!(report.level(), Level::Unusable);
        assert!(!works(&report, Primitive::ReadBack));
    }
}

#[tokio::test]
async fn a_listing_that_lags_is_found_out() {
    let (server, remote) = directory(profiles::NEXTCLOUD).await;
    server.fail(Fault::HalfListing.on("PROPFIND").at("probe-").times(100));
    assert_eq!(remote.probe().await.unwrap().level(), Level::Unusable);
}

#[tokio::test]
async fn tags_that_are_drawn_are_no_tags() {
    let (server, remote) = directory(profiles::LIGHTTPD).await;
    server.draw_tags();
    let report = remote.probe().await.unwrap();
    assert!(!report.capabilities.tag && !report.capabilities.fine_tag);
    assert_eq!(report.level(), Level::GuardedCoarse);
}

#[tokio::test]
async fn trouble_on_the_way_is_no_report() {
    let (server, remote) = directory(profiles::LIGHTTPD).await;
    for status in [403, 507, 500] {
        server.fail(Fault::Status(status, None).on("PUT").times(3));
        remote.probe().await.unwrap_err();
        server.heal();
        assert_eq!(server.files(), Vec::<String>::new());
    }
    assert_eq!(remote.probe().await.unwrap().level(), Level::Guarded);
}
