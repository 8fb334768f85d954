//! Single cases on the modelled server: what disagreements are called, how they end, what retention takes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::model::{INSTANCE, Luck, Server, Writer, at, epoch, known, nothing_was_lost, retained};
use super::retention::{self, Known};
use super::*;
use crate::backup::digest::Sha256Digest;
use crate::backup::keys::SigningKey;
use crate::backup::manifest::{Generation, Manifest, Nonce, ObjectName, Owner, Part, Stem};

#[test]
fn retention_keeps_days_and_weeks_and_lets_the_rest_go() {
    let mut server = Server::default();
    let mut writer = Writer::new(0);
    for _ in 0..72 {
        writer.commit(&mut server).unwrap();
    }
    let known = known(&server, &writer.disk);
    let keep = crate::config::Keep { last: 2, daily: 3, weekly: 1 };
    let deletions = retention::plan(&server.listing(), &writer.disk, &known, INSTANCE, keep, at(100));
    assert_eq!(deletions.names.len(), 60, "not all at once");
    let mut listing = server.listing();
    let mut known = known;
    while let names @ [_, ..] = &retention::plan(&listing, &writer.disk, &known, INSTANCE, keep, at(100)).names[..] {
        for name in names {
            server.objects.remove(name).unwrap();
            known.remove(name);
        }
        listing = server.listing();
    }
    let left = retained(&server);
    // Generation N is of hour N; the first is at 14:13 on a Monday, so days end at generations 9 and 33 and 57.
    assert_eq!(left, [33, 57, 71, 72].into());
}

#[test]
fn orphans_rest_for_a_day_and_others_objects_for_ever() {
    let mut server = Server::default();
    let mut writer = Writer::new(0);
    writer.commit(&mut server).unwrap();
    let sha256 = Sha256Digest::of(b"orphan");
    let orphan = |instance| {
        ObjectName::of_part(Generation::FIRST, Part::Core, Owner::of(instance), &sha256, Nonce([9; 6]))
            .to_text(&Stem::default())
    };
    server.store(0, orphan(INSTANCE), vec![1], false);
    server.store(1, orphan("other"), vec![1], false);
    let keep = crate::config::Keep { last: 1, daily: 0, weekly: 0 };
    let known = known(&server, &writer.disk);
    let first = retention::plan(&server.listing(), &writer.disk, &known, INSTANCE, keep, at(0));
    assert_eq!((first.names.len(), first.orphans.len()), (0, 1));
    writer.disk.orphans = first.orphans;
    for (hour, expected) in [(23, vec![]), (24, vec![orphan(INSTANCE)])] {
        assert_eq!(retention::plan(&server.listing(), &writer.disk, &known, INSTANCE, keep, at(hour)).names, expected);
    }
    assert_eq!(
        retention::plan(&server.listing(), &writer.disk, &Known::new(), INSTANCE, keep, at(99)).names,
        Vec::<String>::new()
    );
}

#[test]
fn every_disagreement_has_its_name_and_a_way_out() {
    let mut server = Server::default();
    let mut writer = Writer::new(0);
    assert_eq!(writer.survey(&server), Survey::Empty);
    let first = writer.commit(&mut server).unwrap();
    let fresh = Writer::new(1);
    assert_eq!(fresh.survey(&server), Survey::Foreign(first.clone(), Relation::NothingKnownHere));

    let mut later = Writer::new(2);
    (later.disk, later.epoch) = (writer.disk.clone(), 5);
    let second = later.commit(&mut server).unwrap();
    assert_eq!(writer.survey(&server), Survey::Foreign(second.clone(), Relation::LaterBoot(epoch(5))));
    assert!(matches!(writer.commit(&mut server), Err(Stop::Refused(_))));

    // Kept here, it stands above the other one, which stays.
    let Resolution::Commit(above) = resolve(&writer.survey(&server), &Keep::Local).unwrap() else { panic!("a commit") };
    writer.begin(Some(above));
    writer.finish(&mut server);
    let third = writer.done.last().unwrap().clone();
    assert_eq!((third.manifest.generation.number(), &third.manifest.previous), (3, &vec![second.name.clone()]));
    assert!(server.objects.contains_key(&second.name));
    let kept_there = resolve(&later.survey(&server), &Keep::Remote(None)).unwrap();
    assert_eq!(kept_there, Resolution::Restore(Box::new(third.clone()), None));

    // The newest one is gone.
    let manifest = server.objects.remove(&third.name).unwrap();
    assert!(
        matches!(writer.survey(&server), Survey::RolledBack { expected, found } if expected == third && found.len() == 1)
    );
    // It is there and torn, changed, or signed by a stranger.
    for (bytes, problem) in [(manifest[..100].to_vec(), Problem::Overwritten), (vec![], Problem::Overwritten)] {
        server.objects.insert(third.name.clone(), bytes);
        assert!(matches!(writer.survey(&server), Survey::Damaged { problem: found, .. } if found == problem));
    }
    server.objects.insert(third.name.clone(), manifest);
    let stranger = SigningKey::of_instance(&[8; 32]);
    let forged =
        Manifest { generation: Generation::try_from(4).unwrap(), ..third.manifest.clone() }.to_bytes(&stranger);
    let name = ObjectName::of_manifest(Generation::try_from(4).unwrap(), &forged, Nonce([1; 6]));
    let name = name.to_text(&Stem::default());
    server.objects.insert(name.clone(), forged);
    assert!(
        matches!(writer.survey(&server), Survey::Damaged { problem: Problem::Untrusted(key), .. } if key == stranger.public())
    );
    server.objects.remove(&name);
    // Its archive is gone, or has another length.
    let archive = server.objects.remove(&third.manifest.core.object).unwrap();
    assert!(matches!(writer.survey(&server), Survey::Damaged { problem: Problem::PartMissing(_), .. }));
    server.objects.insert(third.manifest.core.object.clone(), archive[1..].to_vec());
    assert!(matches!(writer.survey(&server), Survey::Damaged { problem: Problem::PartSize { .. }, .. }));
    let damaged = writer.survey(&server);
    assert!(matches!(resolve(&damaged, &Keep::Remote(None)), Err(ResolveError::Unusable { .. })));
    assert!(matches!(resolve(&damaged, &Keep::Local), Ok(Resolution::Commit(above)) if above.generation.number() == 4));
}

#[test]
fn a_fork_is_ended_by_a_generation_above_both() {
    let mut server = Server::default();
    let mut writers = [Writer::new(0), Writer::new(1)];
    writers[0].commit(&mut server).unwrap();
    writers[1].disk = writers[0].disk.clone();
    for writer in &mut writers {
        writer.begin(None);
    }
    // Both reach the commit point before either lists again.
    for writer in &mut writers {
        while !matches!(writer.step, Some(Step::Ask(_, Request::Put { .. }))) {
            writer.turn(&mut server, Luck::Works);
        }
    }
    for writer in &mut writers {
        writer.turn(&mut server, Luck::Works);
    }
    for writer in &mut writers {
        writer.finish(&mut server);
        assert!(matches!(writer.stops[..], [Stop::Forked(_)]), "{:?}", writer.stops);
        assert!(matches!(writer.commit(&mut server), Err(Stop::Refused(_))));
    }
    let fork = writers[0].survey(&server);
    let Err(ResolveError::NameOne(names)) = resolve(&fork, &Keep::Remote(None)) else { panic!("two sides") };
    let Ok(Resolution::Restore(head, Some(above))) = resolve(&fork, &Keep::Remote(Some(names[1].clone()))) else {
        panic!("one side")
    };
    assert_eq!((&head.name, above.generation.number()), (&names[1], 3));
    writers[0].disk.committed = Some(*head);
    writers[0].begin(Some(above));
    writers[0].finish(&mut server);
    assert_eq!(writers[0].done.last().unwrap().manifest.previous, names);
    writers[0].commit(&mut server).unwrap();
    nothing_was_lost(&server, &writers);
}
