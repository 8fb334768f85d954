//! PUT: in place or aside, with conditions or without, onto a disk that may be full.

use std::io;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::{Call, http_date};
use crate::answer::{Answer, answer, with};
use crate::fault::Fault;
use crate::profile::{Cut, IfHeader, Left, Lock, MissingParent, UnmodifiedSince};
use crate::server::World;
use crate::tag::matches;
use crate::tree;

pub(crate) async fn put(call: &Call, mut body: Incoming) -> io::Result<Answer> {
    if let Some(refused) = refused(call)? {
        // The body is read, so that the status arrives.
        while body.frame().await.is_some_and(|frame| frame.is_ok()) {}
        return Ok(refused);
    }
    if call.profile().racy {
        // Others look while this one waits for its body.
        tokio::task::yield_now().await;
    }
    let before = call.shared.world().tree.file(&call.path).cloned();
    let in_place = call.profile().cut != Cut::Kept;
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref())),
            Some(Err(_)) => return Err(cut(call, bytes)),
        }
        match call.fault {
            Some(Fault::CutUpload(after)) if bytes.len() as u64 >= after => {
                bytes.truncate(usize::try_from(after).unwrap_or(usize::MAX));
                return Err(cut(call, bytes));
            }
            _ => {}
        }
        if in_place && call.fault.is_none() {
            let mut world = call.shared.world();
            let now = world.now();
            world.tree.write(&call.path, bytes.clone(), now, true);
        }
    }
    let mut world = call.shared.world();
    // One event loop looks again when it stores; the others looked when the request began.
    if !call.profile().racy && !in_place && conditions_fail(call, &mut world) {
        return Ok(answer(412, ""));
    }
    let status = if before.is_some() { call.profile().put_replaced } else { 201 };
    match call.fault {
        Some(Fault::StoresNothing) => return Ok(answer(status, "")),
        Some(Fault::StoresPart(part)) => bytes.truncate(part),
        _ => {}
    }
    // Nothing of the file counts as used while it is written anew.
    let others = world.tree.used() - world.tree.file(&call.path).map_or(0, |file| file.bytes.len() as u64);
    let room = world.capacity.map(|capacity| capacity.saturating_sub(others));
    if let Some(room) = room.filter(|room| *room < bytes.len() as u64) {
        return Ok(full(call, &mut world, bytes, room, before.as_ref(), status));
    }
    let now = world.now();
    world.tree.write(&call.path, bytes, now, in_place);
    let Some(file) = world.tree.file(&call.path).cloned() else { return Ok(answer(500, "")) };
    let stored = answer(status, "");
    Ok(if call.profile().tag_stored { with(stored, "etag", &call.tag(&mut world, &file)) } else { stored })
}

/// What is there after a PUT that was cut.
fn cut(call: &Call, bytes: Vec<u8>) -> io::Error {
    let mut world = call.shared.world();
    let now = world.now();
    match call.profile().cut {
        Cut::Kept => {}
        Cut::Truncated => world.tree.write(&call.path, bytes, now, true),
        Cut::Deleted => drop(world.tree.remove(&call.path)),
    }
    io::ErrorKind::ConnectionReset.into()
}

fn full(
    call: &Call,
    world: &mut World,
    mut bytes: Vec<u8>,
    room: u64,
    before: Option<&tree::File>,
    success: u16,
) -> Answer {
    let full = call.profile().full;
    let now = world.now();
    bytes.truncate(usize::try_from(room).unwrap_or(usize::MAX));
    match full.left {
        Left::Before => match before {
            Some(file) => world.tree.place(&call.path, file.clone()),
            None => drop(world.tree.remove(&call.path)),
        },
        Left::Part => world.tree.write(&call.path, bytes, now, true),
        Left::Empty => world.tree.write(&call.path, Vec::new(), now, true),
        Left::Nothing => drop(world.tree.remove(&call.path)),
    }
    answer(full.status.unwrap_or(success), "")
}

/// A PUT that is refused before its body is looked at.
fn refused(call: &Call) -> io::Result<Option<Answer>> {
    let profile = call.profile();
    let mut world = call.shared.world();
    if profile.lock == Lock::Real && world.locks.contains(&call.path) {
        return Ok(Some(answer(423, "")));
    }
    if world.tree.is_directory(&call.path) {
        return Ok(Some(answer(405, "")));
    }
    if call.header("if").is_some() {
        match profile.if_header {
            IfHeader::Fatal => return Err(io::ErrorKind::ConnectionReset.into()),
            IfHeader::Refused => return Ok(Some(answer(412, ""))),
            IfHeader::Obeyed if !if_header_holds(call, &mut world) => return Ok(Some(answer(412, ""))),
            IfHeader::Obeyed | IfHeader::Ignored => {}
        }
    }
    if conditions_fail(call, &mut world) {
        return Ok(Some(answer(412, "")));
    }
    if !world.tree.has_parent(&call.path) {
        match profile.missing_parent {
            MissingParent::Status(status) => return Ok(Some(answer(status, ""))),
            MissingParent::Made => world.tree.make_directory(tree::parent(&call.path)),
        }
    }
    Ok(None)
}

fn conditions_fail(call: &Call, world: &mut World) -> bool {
    let profile = call.profile();
    let file = world.tree.file(&call.path).cloned();
    let modified = file.as_ref().map(|file| http_date(file.modified));
    let unmodified = match (call.header("if-unmodified-since"), profile.unmodified_since) {
        (None, _) | (_, UnmodifiedSince::Ignored) => true,
        (Some(_), UnmodifiedSince::Refused) => false,
        (Some(known), UnmodifiedSince::Obeyed) => modified.as_deref() == Some(known),
    };
    if !unmodified {
        return true;
    }
    if !profile.put_conditions {
        return false;
    }
    let tag = file.as_ref().map(|file| call.tag(world, file));
    let creates = tag.is_none() && profile.if_match_creates;
    call.header("if-match").is_some_and(|wanted| !creates && !matches(wanted, tag.as_deref()))
        || call.header("if-none-match").is_some_and(|unwanted| matches(unwanted, tag.as_deref()))
}

/// Of the `If` header only `(["tag"])`.
fn if_header_holds(call: &Call, world: &mut World) -> bool {
    let wanted = call.header("if").unwrap_or_default().trim_start_matches("([").trim_end_matches("])").to_owned();
    let file = world.tree.file(&call.path).cloned();
    file.is_some_and(|file| call.tag(world, &file) == wanted)
}
