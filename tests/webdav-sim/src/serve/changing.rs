//! MKCOL, MOVE, DELETE and LOCK.

use super::{Call, below_root};
use crate::answer::{Answer, answer, with};
use crate::profile::{Lock, MissingParent, MoveOntoTaken};
use crate::server::ROOT;
use crate::tag::matches;
use crate::tree::Node;

pub(crate) fn mkcol(call: &Call) -> Answer {
    let profile = call.profile();
    let mut world = call.shared.world();
    if profile.mkcol_needs_slash && !call.slash {
        return answer(409, "");
    }
    if world.tree.get(&call.path).is_some() {
        return answer(profile.mkcol_existing, "");
    }
    if !world.tree.has_parent(&call.path) && !profile.mkcol_recursive {
        return answer(409, "");
    }
    world.tree.make_directory(&call.path);
    answer(201, "")
}

pub(crate) fn rename(call: &Call) -> Answer {
    let profile = call.profile();
    let mut world = call.shared.world();
    let destination = call.header("destination").unwrap_or_default();
    let path = match destination.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
        None if profile.destination_full => return answer(400, ""),
        None => destination,
    };
    let Some(target) = below_root(path, ROOT) else { return answer(502, "") };
    let Some(Node::File(file)) = world.tree.get(&call.path).cloned() else { return answer(404, "") };
    if profile.move_conditions {
        let tag = call.tag(&mut world, &file);
        if call.header("if-match").is_some_and(|wanted| !matches(wanted, Some(&tag))) {
            return answer(412, "");
        }
    }
    if !world.tree.has_parent(&target) {
        match profile.missing_parent {
            MissingParent::Status(_) => return answer(409, ""),
            MissingParent::Made => world.tree.make_directory(crate::tree::parent(&target)),
        }
    }
    let taken = world.tree.get(&target).is_some();
    let overwrites = call.header("overwrite").map_or(profile.overwrite_by_default, |value| value != "F");
    if taken && profile.move_never_replaces {
        return answer(409, "");
    }
    if let (true, false, MoveOntoTaken::Status(status)) = (taken, overwrites, profile.move_onto_taken) {
        return answer(status, "");
    }
    world.tree.remove(&call.path);
    world.tree.place(&target, file);
    answer(if taken { 204 } else { 201 }, "")
}

pub(crate) fn delete(call: &Call) -> Answer {
    if call.shared.world().tree.remove(&call.path) { answer(204, "") } else { answer(404, "") }
}

pub(crate) fn lock(call: &Call) -> Answer {
    let mut world = call.shared.world();
    let given = with(answer(200, "<prop/>"), "lock-token", "<opaquelocktoken:given>");
    match call.profile().lock {
        Lock::Unknown => answer(405, ""),
        Lock::Fake => given,
        Lock::Real | Lock::Toothless if world.locks.contains(&call.path) => answer(423, ""),
        Lock::Real | Lock::Toothless => {
            world.locks.push(call.path.clone());
            given
        }
    }
}
