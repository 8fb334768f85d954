//! Each profile against the tables of measured servers: a row as it was measured, and the same row asked of the simulation.

use std::sync::Arc;

use tokio::task::JoinSet;
use webdav_sim::{Fault, Profile, Server, profiles};

use crate::client::{ask, ask_openly};

/// One measured row. Statuses in the order they were asked for; 0 is a connection that ended.
struct Row {
    profile: Profile,
    /// Tag on GET · in PROPFIND · in the answer to PUT.
    tags: &'static str,
    /// Two contents of one size stored within one second: `differ`, `same`, or `none` without tags.
    fast: &'static str,
    /// Stale If-Match · If-Match on a missing file · If-None-Match: * on an existing one · MOVE Overwrite: F on an existing
    /// one · `!` after a status: it was overwritten.
    conditions: &'static str,
    /// PUT new / over / into a missing directory · MKCOL onto a directory.
    stored: &'static str,
    /// A PUT over an existing file that is cut: kept, part, gone.
    cut: &'static str,
    /// A PUT over an existing file onto a full disk: status and what is left.
    full: &'static str,
    /// GET and PROPFIND on a directory without the slash · PROPFIND with Depth: infinity.
    directory: &'static str,
    /// LOCK twice, then PUT · OPTIONS and GET without a password.
    others: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        profile: profiles::APACHE,
        tags: "weak quoted none",
        fast: "differ",
        conditions: "412 412 412 412",
        stored: "201 204 409 405",
        cut: "kept",
        full: "507 kept",
        directory: "301 301 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::NGINX,
        tags: "strong none none",
        fast: "same",
        conditions: "204! 201 204! 412",
        stored: "201 204 500 405",
        cut: "kept",
        full: "500 kept",
        directory: "301 207 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::NGINX_STOCK,
        tags: "strong none none",
        fast: "same",
        conditions: "204! 201 204! 412",
        stored: "201 204 500 405",
        cut: "kept",
        full: "500 kept",
        directory: "301 405 405",
        others: "405 405 204 401 401",
    },
    Row {
        profile: profiles::LIGHTTPD,
        tags: "strong quoted strong",
        fast: "differ",
        conditions: "412 412 412 412",
        stored: "201 204 409 405",
        cut: "kept",
        full: "500 kept",
        directory: "301 207 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::RCLONE,
        tags: "strong quoted strong",
        fast: "differ",
        conditions: "201! 201 201! 412",
        stored: "201 201 404 201",
        cut: "part",
        full: "405 empty",
        directory: "405 207 403",
        others: "200 423 423 200 401",
    },
    Row {
        profile: profiles::WSGIDAV,
        tags: "strong unquoted strong",
        fast: "same",
        conditions: "412 201 412 412",
        stored: "201 204 409 405",
        cut: "part",
        full: "500 part",
        directory: "301 207 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::DUFS,
        tags: "strong none none",
        fast: "same",
        conditions: "201! 201 201! 204!",
        stored: "201 201 201 405",
        cut: "gone",
        full: "500 gone",
        directory: "200 207 403",
        others: "200 200 201 200 401",
    },
    Row {
        profile: profiles::DAV_SERVER,
        tags: "strong unquoted strong",
        fast: "differ",
        conditions: "412 412 412 412",
        stored: "201 204 409 405",
        cut: "part",
        full: "507 part",
        directory: "302 207 403",
        others: "200 200 204 401 401",
    },
    Row {
        profile: profiles::NPM,
        tags: "none quoted none",
        fast: "none",
        conditions: "200! 201 200! 412",
        stored: "201 200 409 405",
        cut: "part",
        full: "500 part",
        directory: "405 207 403",
        others: "200 423 200 401 401",
    },
    Row {
        profile: profiles::X_NET,
        tags: "strong quoted strong",
        fast: "differ",
        conditions: "201! 201 201! 412",
        stored: "201 201 404 405",
        cut: "part",
        full: "405 part",
        directory: "405 207 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::SABRE,
        tags: "strong quoted strong",
        fast: "differ",
        conditions: "412 412 412 412",
        stored: "201 204 404 405",
        cut: "kept",
        full: "204 part",
        directory: "501 207 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::COPYPARTY,
        tags: "none none none",
        fast: "none",
        conditions: "201! 201 201! 400",
        stored: "201 201 201 405",
        cut: "part",
        full: "500 part",
        directory: "200 207 403",
        others: "200 200 201 200 403",
    },
    Row {
        profile: profiles::NEXTCLOUD,
        tags: "strong quoted strong",
        fast: "differ",
        conditions: "412 412 412 412",
        stored: "201 204 409 405",
        cut: "kept",
        full: "507 kept",
        directory: "501 207 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::JIANGUOYUN,
        tags: "strong quoted strong",
        fast: "differ",
        conditions: "204! 201 204! 409",
        stored: "201 204 409 405",
        cut: "kept",
        full: "507 kept",
        directory: "403 207 403",
        others: "200 423 423 401 401",
    },
    Row {
        profile: profiles::ALIST,
        tags: "handed over quoted strong",
        fast: "handed over",
        conditions: "201! 201 201! 412",
        stored: "201 201 405 405",
        cut: "part",
        full: "405 part",
        directory: "405 207 403",
        others: "200 423 423 401 401",
    },
];

const OLD: &[u8] = b"the old content of the file";
const NEW: &[u8] = b"a new content, equally long";

async fn fresh(profile: Profile) -> Server {
    let server = Server::start(profile).await.unwrap();
    server.write("d/old", OLD);
    server
}

/// `!` when the file is not what it was.
fn mark(server: &Server) -> &'static str {
    let mark = if server.read("d/old").as_deref() == Some(OLD) { "" } else { "!" };
    server.write("d/old", OLD);
    mark
}

fn left(server: &Server) -> &'static str {
    match server.read("d/old").as_deref() {
        None => "gone",
        Some(OLD) => "kept",
        Some([]) => "empty",
        Some(part) => {
            assert!(NEW.starts_with(part) && part.len() < NEW.len());
            "part"
        }
    }
}

fn shape(tag: Option<&str>) -> &'static str {
    match tag {
        None => "none",
        Some(tag) if tag.starts_with("W/\"") => "weak",
        Some(tag) if tag.starts_with('"') => "strong",
        Some(_) => "unquoted",
    }
}

async fn tags(profile: Profile) -> String {
    let server = fresh(profile).await;
    let stored = ask(&server, "PUT", "d/old", &[], NEW).await.header("etag");
    let read = ask(&server, "GET", "d/old", &[], b"").await;
    let read = if read.status == 302 { "handed over" } else { shape(read.header("etag").as_deref()) };
    let listing = ask(&server, "PROPFIND", "d/", &[("depth", "1")], b"").await.text();
    let listed = match listing.split_once("<D:getetag>").map(|(_, rest)| rest) {
        None => "none",
        Some(rest) if rest.starts_with("&quot;") || rest.starts_with("W/&quot;") => "quoted",
        Some(_) => "unquoted",
    };
    format!("{read} {listed} {}", shape(stored.as_deref()))
}

async fn fast(profile: Profile) -> String {
    let server = fresh(profile).await;
    let coarse = ["nginx", "nginx stock", "wsgidav", "dufs"].contains(&profile.name);
    // A clock that stands still is what a second, or a millisecond, looks like to a server that counts in them.
    if coarse {
        server.stop_clock();
    }
    let mut seen = Vec::new();
    for content in [OLD, NEW] {
        ask(&server, "PUT", "d/old", &[], content).await;
        let read = ask(&server, "GET", "d/old", &[], b"").await;
        if read.status == 302 {
            return "handed over".to_owned();
        }
        seen.push(read.header("etag"));
    }
    match &seen[..] {
        [None, None] => "none",
        [first, second] if first == second => "same",
        _ => "differ",
    }
    .to_owned()
}

async fn conditions(profile: Profile) -> String {
    let server = fresh(profile).await;
    let stale = ask(&server, "PUT", "d/old", &[("if-match", "\"stale\"")], NEW).await.status;
    let mut row = format!("{stale}{}", mark(&server));
    row += &format!(" {}", ask(&server, "PUT", "d/missing", &[("if-match", "\"stale\"")], NEW).await.status);
    let taken = ask(&server, "PUT", "d/old", &[("if-none-match", "*")], NEW).await.status;
    row += &format!(" {taken}{}", mark(&server));
    server.write("d/other", NEW);
    let target = format!("{}d/old", server.url());
    let moved = ask(&server, "MOVE", "d/other", &[("destination", &target), ("overwrite", "F")], b"").await.status;
    row + &format!(" {moved}{}", mark(&server))
}

async fn stored(profile: Profile) -> String {
    let server = fresh(profile).await;
    let mut statuses = Vec::new();
    for path in ["d/new", "d/old", "missing/new"] {
        statuses.push(ask(&server, "PUT", path, &[], NEW).await.status.to_string());
    }
    statuses.push(ask(&server, "MKCOL", "d/", &[], b"").await.status.to_string());
    statuses.join(" ")
}

async fn cut(profile: Profile) -> String {
    let server = fresh(profile).await;
    server.fail(Fault::CutUpload(5).on("PUT"));
    assert_eq!(ask(&server, "PUT", "d/old", &[], NEW).await.status, 0);
    left(&server).to_owned()
}

async fn full(profile: Profile) -> String {
    let server = fresh(profile).await;
    // The old file counts as free while it is written anew.
    server.write("d/other", b"");
    server.remove("d/old");
    server.leave_free(Some(10));
    server.write("d/old", OLD);
    let status = ask(&server, "PUT", "d/old", &[], NEW).await.status;
    format!("{status} {}", left(&server))
}

async fn directory(profile: Profile) -> String {
    let server = fresh(profile).await;
    let read = ask(&server, "GET", "d", &[], b"").await.status;
    let listed = ask(&server, "PROPFIND", "d", &[("depth", "1")], b"").await.status;
    let deep = ask(&server, "PROPFIND", "d/", &[("depth", "infinity")], b"").await.status;
    format!("{read} {listed} {deep}")
}

async fn others(profile: Profile) -> String {
    let server = fresh(profile).await;
    let mut statuses = Vec::new();
    for method in ["LOCK", "LOCK", "PUT"] {
        statuses.push(ask(&server, method, "d/old", &[], NEW).await.status.to_string());
    }
    for method in ["OPTIONS", "GET"] {
        statuses.push(ask_openly(&server, method, "d/old", &[], b"").await.status.to_string());
    }
    statuses.join(" ")
}

#[tokio::test]
async fn every_profile_behaves_as_its_server_was_measured() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let profile = row.profile;
        for (what, expected, found) in [
            ("tags", row.tags, tags(profile).await),
            ("fast", row.fast, fast(profile).await),
            ("conditions", row.conditions, conditions(profile).await),
            ("stored", row.stored, stored(profile).await),
            ("cut", row.cut, cut(profile).await),
            ("full", row.full, full(profile).await),
            ("directory", row.directory, directory(profile).await),
            ("others", row.others, others(profile).await),
        ] {
            if expected != found {
                wrong.push(format!("{} {what}: measured {expected:?}, simulated {found:?}", profile.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let pinned: Vec<_> = ROWS.iter().map(|row| row.profile.name).collect();
    assert_eq!(pinned, profiles::ALL.iter().map(|profile| profile.name).collect::<Vec<_>>());
}

#[tokio::test]
async fn listings_differ_in_addresses_encoding_and_what_they_hide() {
    for (profile, expected, hidden) in [
        (profiles::APACHE, "<D:href>/dav/d/a%5bb%5d%20c</D:href>", false),
        (profiles::RCLONE, "<D:href>/dav/d/a%5Bb%5D%20c</D:href>", false),
        (profiles::NGINX, "<D:href>/dav/d/a%5Bb%5D%20c</D:href>", true),
    ] {
        let server = Server::start(profile).await.unwrap();
        server.write("d/a[b] c", b"");
        server.write("d/.dot", b"");
        let listing = ask(&server, "PROPFIND", "d/", &[("depth", "1")], b"").await.text();
        assert!(listing.contains(expected), "{}: {listing}", profile.name);
        assert_eq!(!listing.contains(".dot"), hidden, "{}", profile.name);
    }
    let server = Server::start(profiles::NPM).await.unwrap();
    server.write("d/a", b"");
    let listing = ask(&server, "PROPFIND", "d/", &[("depth", "1")], b"").await.text();
    assert!(listing.contains(&format!("<D:href>{}d/a</D:href>", server.url())), "{listing}");
}

#[tokio::test]
async fn apache_and_its_tags() {
    let server = fresh(profiles::APACHE).await;
    let weak = ask(&server, "GET", "d/old", &[], b"").await.header("etag").unwrap();
    assert_eq!(ask(&server, "PUT", "d/old", &[("if-match", &weak)], NEW).await.status, 412);
    server.set_clock_ahead(std::time::Duration::from_mins(1));
    let strong = ask(&server, "GET", "d/old", &[], b"").await.header("etag").unwrap();
    assert_eq!(format!("W/{strong}"), weak);
    let mangled = ask(&server, "GET", "d/old", &[("accept-encoding", "gzip")], b"").await.header("etag").unwrap();
    assert!(mangled.ends_with("-gzip\""));
    assert_eq!(ask(&server, "PUT", "d/old", &[("if-match", &mangled)], NEW).await.status, 412);
    assert_eq!(ask(&server, "PUT", "d/old", &[("if-match", &strong)], NEW).await.status, 204);
}

#[tokio::test]
async fn jianguoyun_and_its_limits() {
    let server = Server::start(profiles::JIANGUOYUN).await.unwrap();
    assert_eq!(ask(&server, "PUT", "in-the-root", &[], NEW).await.status, 404);
    let orphan = ask(&server, "GET", "missing/file", &[], b"").await;
    assert_eq!(orphan.status, 409);
    assert!(orphan.text().contains("AncestorsNotFound"));
    server.write("d/a", NEW);
    server.write("d/b", NEW);
    let target = format!("{}d/b", server.url());
    let moved = ask(&server, "MOVE", "d/a", &[("destination", &target), ("overwrite", "T")], b"").await;
    assert_eq!(moved.status, 409);
    for number in 0..800 {
        server.write(&format!("many/{number}"), b"");
    }
    let listing = ask(&server, "PROPFIND", "many/", &[("depth", "1")], b"").await.text();
    assert_eq!(listing.matches("<D:response>").count(), 750);
    while server.requests().len() < 600 {
        ask(&server, "HEAD", "d/a", &[], b"").await;
    }
    let blocked = ask(&server, "GET", "d/a", &[], b"").await;
    assert_eq!(blocked.status, 503);
    assert!(blocked.text().contains("BlockedTemporarily"));
}

#[tokio::test]
async fn ranges_are_right_except_where_they_are_not() {
    for (profile, stale, past_the_end) in [(profiles::X_NET, 200, 416), (profiles::NPM, 206, 206)] {
        let server = fresh(profile).await;
        let part = ask(&server, "GET", "d/old", &[("range", "bytes=4-")], b"").await;
        assert_eq!((part.status, part.body.as_slice()), (206, &OLD[4..]));
        let other = ask(&server, "GET", "d/old", &[("range", "bytes=4-"), ("if-range", "\"stale\"")], b"").await;
        assert_eq!(other.status, stale, "{}", profile.name);
        let beyond = ask(&server, "GET", "d/old", &[("range", "bytes=999-")], b"").await;
        assert_eq!(beyond.status, past_the_end, "{}", profile.name);
    }
}

#[tokio::test]
async fn of_many_who_create_one_name_one_wins_or_all_do() {
    for (profile, winners) in [(profiles::LIGHTTPD, 1), (profiles::SABRE, 1), (profiles::NGINX, 8), (profiles::DUFS, 8)]
    {
        let server = Arc::new(fresh(profile).await);
        let mut writers = JoinSet::new();
        for _ in 0..8 {
            let server = Arc::clone(&server);
            writers.spawn(async move { ask(&server, "PUT", "d/new", &[("if-none-match", "*")], NEW).await.status });
        }
        let statuses = writers.join_all().await;
        let won = statuses.iter().filter(|status| **status < 300).count();
        assert_eq!(won, winners, "{}: {statuses:?}", profile.name);
    }
}
