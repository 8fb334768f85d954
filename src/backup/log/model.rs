//! Writers that commit at the same time, on a modelled server that loses answers, tears uploads and stops: whatever the order, no
//! good generation is lost or overwritten, and no fork goes unseen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::retention::{self, Keep as KeepPolicy, Known};
use super::*;
use crate::backup::digest::Sha256Digest;
use crate::backup::keys::{SigningKey, TrustedKeys};
use crate::backup::manifest::{Epoch, Generation, Manifest, Nonce, Part, Stem};

const INSTANCE: &str = "instance";

fn key() -> SigningKey {
    SigningKey::of_instance(&[7; 32])
}

fn trusted() -> TrustedKeys {
    TrustedKeys::new([key().public()])
}

fn epoch(number: u32) -> Epoch {
    Epoch { number, nonce: Nonce([0; 6]) }
}

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::hours(hour)
}

/// What a request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Luck {
    Works,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is not done.
    Fails,
    /// Half of it is stored, and the answer says yes.
    Torn,
    /// The writer's process ends before the request.
    Dies,
}

#[derive(Debug, Default)]
struct Server {
    objects: BTreeMap<String, Vec<u8>>,
    authors: BTreeMap<String, usize>,
}

impl Server {
    fn store(&mut self, author: usize, name: String, mut bytes: Vec<u8>, torn: bool) {
        assert!(!self.authors.contains_key(&name), "{name} was written twice");
        if torn {
            bytes.truncate(bytes.len() / 2);
        }
        self.authors.insert(name.clone(), author);
        self.objects.insert(name, bytes);
    }

    fn listing(&self) -> Listing {
        self.objects.iter().map(|(name, bytes)| (name.clone(), Some(bytes.len() as u64))).collect()
    }

    fn log(&self, position: &Position) -> Log {
        let listing = self.listing();
        let fetched = manifests_to_fetch(&listing, position);
        let fetched = fetched.into_iter().map(|name| (name.clone(), self.objects.get(&name).cloned())).collect();
        Log { listing, fetched }
    }
}

struct Writer {
    number: usize,
    epoch: u32,
    /// What a new process would read.
    disk: Position,
    step: Option<Step>,
    parts: BTreeMap<Part, Vec<u8>>,
    commits: u8,
    done: Vec<Committed>,
    stops: Vec<Stop>,
}

impl Writer {
    fn new(number: usize) -> Self {
        Self {
            number,
            epoch: 1,
            disk: Position::new("remote".to_owned(), Stem::default()),
            step: None,
            parts: BTreeMap::new(),
            commits: 0,
            done: vec![],
            stops: vec![],
        }
    }

    fn begin(&mut self, above: Option<Above>) {
        self.commits += 1;
        let mark = [u8::try_from(self.number).unwrap(), self.commits];
        let content = |part: u8| vec![mark[0], mark[1], part, 0, 0, 0, 0, 0];
        let with_history = self.commits % 3 == 1;
        self.parts = BTreeMap::from([(Part::Core, content(0))]);
        if with_history {
            self.parts.insert(Part::History, content(1));
        }
        let new = |bytes: &Vec<u8>| NewPart {
            size: bytes.len() as u64,
            sha256: Sha256Digest::of(bytes),
            content: Sha256Digest::of(bytes),
            recipients: Sha256Digest::of(b""),
        };
        let plan = Plan {
            instance: INSTANCE.to_owned(),
            epoch: epoch(self.epoch),
            writer: format!("writer {}", self.number),
            time: at(self.commits.into()),
            core: new(&self.parts[&Part::Core]),
            history: self.parts.get(&Part::History).map(new),
            nonces: [0, 1, 2].map(|which| Nonce([mark[0], mark[1], which, 0, 0, 0])),
            above,
        };
        self.step = Some(Commit::begin(self.disk.clone(), plan, key(), trusted()));
    }

    /// Performs one request.
    fn turn(&mut self, server: &mut Server, luck: Luck) {
        let (commit, request) = match self.step.take() {
            None => return self.begin(None),
            Some(Step::End(ending)) => {
                // Saving may have failed at the end; a process that goes on knows more than its disk.
                self.disk = ending.position;
                match ending.result {
                    Ok(committed) => self.done.push(committed),
                    Err(stop) => self.stops.push(stop),
                }
                return;
            }
            Some(Step::Ask(commit, request)) => (commit, request),
        };
        if luck == Luck::Dies {
            self.epoch += 1;
            return;
        }
        let answer = if luck == Luck::Fails { Answer::Failed("down".to_owned()) } else { self.perform(server, request, luck) };
        self.step = Some(commit.answer(answer));
    }

    fn perform(&mut self, server: &mut Server, request: Request, luck: Luck) -> Answer {
        let lost = |answer| if luck == Luck::AnswerLost { Answer::Failed("cut".to_owned()) } else { answer };
        match request {
            Request::List => lost(Answer::Listed(server.listing())),
            Request::Fetch(name) => lost(Answer::Fetched(server.objects.get(&name).cloned())),
            Request::Upload { part, name } => {
                server.store(self.number, name, self.parts[&part].clone(), luck == Luck::Torn);
                lost(Answer::Done)
            }
            Request::Check { name, size, sha256 } => {
                let as_it_should = server.objects.get(&name).is_some_and(|bytes| (bytes.len() as u64, Sha256Digest::of(bytes)) == (size, sha256));
                lost(if as_it_should { Answer::Done } else { Answer::Differs })
            }
            Request::Put { name, bytes } => {
                server.store(self.number, name, bytes, luck == Luck::Torn);
                if luck == Luck::AnswerLost { Answer::Unclear("cut".to_owned()) } else { Answer::Done }
            }
            Request::Delete(name) => {
                assert!(server.authors.get(&name).is_none_or(|author| *author == self.number), "{name} belongs to the other");
                server.objects.remove(&name);
                lost(Answer::Done)
            }
            Request::Save(position) => {
                self.disk = *position;
                lost(Answer::Done)
            }
        }
    }

    fn finish(&mut self, server: &mut Server) {
        while self.step.is_some() {
            self.turn(server, Luck::Works);
        }
    }

    fn commit(&mut self, server: &mut Server) -> Result<Committed, Stop> {
        let (done, stops) = (self.done.len(), self.stops.len());
        self.begin(None);
        self.finish(server);
        if self.done.len() > done { Ok(self.done.last().unwrap().clone()) } else { Err(self.stops[stops].clone()) }
    }

    fn survey(&self, server: &Server) -> Survey {
        survey(&server.log(&self.disk), &self.disk, &trusted(), INSTANCE, epoch(self.epoch))
    }
}

/// Every generation that a writer was told is committed is there and whole.
fn nothing_was_lost(server: &Server, writers: &[Writer]) {
    for committed in writers.iter().flat_map(|writer| &writer.done) {
        let bytes = &server.objects[&committed.name];
        assert_eq!(Manifest::parse(&Stem::default(), bytes).unwrap().content, committed.manifest);
        for (_, part) in committed.manifest.parts() {
            assert_eq!(Sha256Digest::of(&server.objects[&part.object]), part.sha256, "{}", part.object);
        }
    }
}

fn any_luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        20 => Just(Luck::Works),
        1 => Just(Luck::AnswerLost),
        1 => Just(Luck::Fails),
        1 => Just(Luck::Torn),
        1 => Just(Luck::Dies),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn two_writers_never_lose_or_fork_unseen(turns in prop::collection::vec((0_usize..2, any_luck()), 1..200)) {
        let mut server = Server::default();
        let mut writers = [Writer::new(0), Writer::new(1)];
        // Both hosts know the same first generation, as after a restore on the second one.
        writers[0].commit(&mut server).unwrap();
        let start = writers[0].disk.clone();
        writers[1].disk = start;
        for (who, luck) in turns {
            writers[who].turn(&mut server, luck);
            nothing_was_lost(&server, &writers);
        }
        for writer in &mut writers {
            writer.finish(&mut server);
        }
        nothing_was_lost(&server, &writers);
        let generations = |writer: &Writer| writer.done.iter().map(|done| done.manifest.generation).collect::<BTreeSet<_>>();
        let both: Vec<Generation> = generations(&writers[0]).intersection(&generations(&writers[1])).copied().collect();
        prop_assert!(both.is_empty(), "both were told that {both:?} is theirs");
        // Whoever did not make the newest generation is told so at the next look.
        let content = |writer: &Writer| matches!(writer.survey(&server), Survey::Head(_) | Survey::Landed(_));
        prop_assert!(!(content(&writers[0]) && content(&writers[1])) || server.authors.values().all(|author| *author == 0)
            || writers[0].disk.committed == writers[1].disk.committed);
    }

    #[test]
    fn one_writer_always_goes_on(lucks in prop::collection::vec(any_luck(), 1..120)) {
        let mut server = Server::default();
        let mut writers = [Writer::new(0)];
        for luck in lucks {
            writers[0].turn(&mut server, luck);
            nothing_was_lost(&server, &writers);
        }
        writers[0].finish(&mut server);
        // Alone, nothing that happened is ever a conflict, and the next commit works.
        for stop in &writers[0].stops {
            prop_assert!(!matches!(stop, Stop::Refused(_) | Stop::Forked(_)), "{stop:?}");
        }
        let committed = writers[0].commit(&mut server);
        prop_assert!(committed.is_ok(), "{committed:?}");
        nothing_was_lost(&server, &writers);
    }

    #[test]
    fn retention_never_takes_what_is_needed(
        commits in 1_u8..40, last in 0_usize..6, daily in 0_usize..4, weekly in 0_usize..3, verified in 0_u64..40, stopped_at in 0_usize..200,
    ) {
        let mut server = Server::default();
        let mut writer = Writer::new(0);
        for _ in 0..commits {
            writer.commit(&mut server).unwrap();
        }
        writer.disk.verified = Generation::try_from(verified.min(commits.into())).ok();
        server.store(1, "somebody-elses.db".to_owned(), vec![1], false);
        let keep = KeepPolicy { last, daily, weekly };
        let known = known(&server, &writer.disk);
        let deletions = retention::plan(&server.listing(), &writer.disk, &known, INSTANCE, keep, at(100));
        for name in deletions.names.iter().take(stopped_at) {
            server.objects.remove(name).unwrap();
            // At no moment a manifest is there without its parts.
            for bytes in server.objects.iter().filter(|(name, _)| name.ends_with(".json")).map(|(_, bytes)| bytes) {
                for (_, part) in Manifest::parse(&Stem::default(), bytes).unwrap().content.parts() {
                    prop_assert!(server.objects.contains_key(&part.object));
                }
            }
        }
        prop_assert!(server.objects.contains_key("somebody-elses.db"));
        prop_assert!(matches!(writer.survey(&server), Survey::Head(_)));
        let left: BTreeSet<u64> = retained(&server);
        prop_assert!(left.contains(&u64::from(commits)));
        prop_assert!(verified == 0 || left.contains(&verified.min(commits.into())));
        let newest = (u64::from(commits).saturating_sub(last as u64) + 1)..=u64::from(commits);
        prop_assert!(newest.into_iter().all(|generation| left.contains(&generation)));
        writer.commit(&mut server).unwrap();
    }
}

fn known(server: &Server, position: &Position) -> Known {
    let names = retention::to_fetch(&server.listing(), position, &Known::new());
    names.into_iter().map(|name| (name.clone(), retention::read(position, &name, &server.objects[&name], &trusted()))).collect()
}

fn retained(server: &Server) -> BTreeSet<u64> {
    let manifests = server.objects.iter().filter(|(name, _)| name.ends_with(".json"));
    manifests.map(|(_, bytes)| Manifest::parse(&Stem::default(), bytes).unwrap().content.generation.number()).collect()
}

#[test]
fn retention_keeps_days_and_weeks_and_lets_the_rest_go() {
    let mut server = Server::default();
    let mut writer = Writer::new(0);
    for _ in 0..72 {
        writer.commit(&mut server).unwrap();
    }
    let known = known(&server, &writer.disk);
    let keep = KeepPolicy { last: 2, daily: 3, weekly: 1 };
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
        use crate::backup::manifest::{ObjectName, Owner};
        ObjectName::of_part(Generation::FIRST, Part::Core, Owner::of(instance), &sha256, Nonce([9; 6])).to_text(&Stem::default())
    };
    server.store(0, orphan(INSTANCE), vec![1], false);
    server.store(1, orphan("other"), vec![1], false);
    let keep = KeepPolicy { last: 1, daily: 0, weekly: 0 };
    let known = known(&server, &writer.disk);
    let first = retention::plan(&server.listing(), &writer.disk, &known, INSTANCE, keep, at(0));
    assert_eq!((first.names.len(), first.orphans.len()), (0, 1));
    writer.disk.orphans = first.orphans;
    for (hour, expected) in [(23, vec![]), (24, vec![orphan(INSTANCE)])] {
        assert_eq!(retention::plan(&server.listing(), &writer.disk, &known, INSTANCE, keep, at(hour)).names, expected);
    }
    assert_eq!(retention::plan(&server.listing(), &writer.disk, &Known::new(), INSTANCE, keep, at(99)).names, Vec::<String>::new());
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
    assert!(matches!(writer.survey(&server), Survey::RolledBack { expected, found } if expected == third && found.len() == 1));
    // It is there and torn, changed, or signed by a stranger.
    for (bytes, problem) in [(manifest[..100].to_vec(), Problem::Overwritten), (vec![], Problem::Overwritten)] {
        server.objects.insert(third.name.clone(), bytes);
        assert!(matches!(writer.survey(&server), Survey::Damaged { problem: found, .. } if found == problem));
    }
    server.objects.insert(third.name.clone(), manifest);
    let stranger = SigningKey::of_instance(&[8; 32]);
    let forged = Manifest { generation: Generation::try_from(4).unwrap(), ..third.manifest.clone() }.to_bytes(&stranger);
    let name = crate::backup::manifest::ObjectName::of_manifest(Generation::try_from(4).unwrap(), &forged, Nonce([1; 6]));
    let name = name.to_text(&Stem::default());
    server.objects.insert(name.clone(), forged);
    assert!(matches!(writer.survey(&server), Survey::Damaged { problem: Problem::Untrusted(key), .. } if key == stranger.public()));
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
    let Ok(Resolution::Restore(head, Some(above))) = resolve(&fork, &Keep::Remote(Some(names[1].clone()))) else { panic!("one side") };
    assert_eq!((&head.name, above.generation.number()), (&names[1], 3));
    writers[0].disk.committed = Some(*head);
    writers[0].begin(Some(above));
    writers[0].finish(&mut server);
    assert_eq!(writers[0].done.last().unwrap().manifest.previous, names);
    writers[0].commit(&mut server).unwrap();
    nothing_was_lost(&server, &writers);
}
