//! Each profile against the tables of measured servers: a row as it was measured, and the same row asked of the simulation.

use webdav_sim::{Fault, Profile, Server, profiles};

use crate::client::{NEW, OLD, ask, ask_openly, fresh};
use crate::rows::ROWS;

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
