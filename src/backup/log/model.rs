//! Writers that commit at the same time, on a modelled server that loses answers, tears uploads and stops: whatever the order, no
//! good generation is lost or overwritten, and no fork goes unseen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::retention::{self, Known};
use super::*;
use crate::backup::digest::Sha256Digest;
use crate::backup::keys::{SigningKey, TrustedKeys};
use crate::backup::manifest::{Epoch, Generation, Manifest, Nonce, ObjectName, Part, Stem};

pub(super) const INSTANCE: &str = "instance";

fn key() -> SigningKey {
    SigningKey::of_instance(&[7; 32])
}

pub(super) fn trusted() -> TrustedKeys {
    TrustedKeys::new([key().public()])
}

pub(super) fn epoch(number: u32) -> Epoch {
    Epoch { number, nonce: Nonce([0; 6]) }
}

pub(super) fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::hours(hour)
}

/// What a request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Luck {
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
pub(super) struct Server {
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    authors: BTreeMap<String, usize>,
}

impl Server {
    pub(super) fn store(&mut self, author: usize, name: String, mut bytes: Vec<u8>, torn: bool) {
        assert!(!self.authors.contains_key(&name), "{name} was written twice");
        if torn {
            bytes.truncate(bytes.len() / 2);
        }
        self.authors.insert(name.clone(), author);
        self.objects.insert(name, bytes);
    }

    pub(super) fn listing(&self) -> Listing {
        self.objects.iter().map(|(name, bytes)| (name.clone(), Some(bytes.len() as u64))).collect()
    }

    fn log(&self, position: &Position) -> Log {
        let listing = self.listing();
        let fetched = manifests_to_fetch(&listing, position);
        let fetched = fetched.into_iter().map(|name| (name.clone(), self.objects.get(&name).cloned())).collect();
        Log { listing, fetched }
    }
}

pub(super) struct Writer {
    number: usize,
    pub(super) epoch: u32,
    /// What a new process would read.
    pub(super) disk: Position,
    pub(super) step: Option<Step>,
    parts: BTreeMap<Part, Vec<u8>>,
    commits: u8,
    pub(super) done: Vec<Committed>,
    pub(super) stops: Vec<Stop>,
}

impl Writer {
    pub(super) fn new(number: usize) -> Self {
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

    pub(super) fn begin(&mut self, above: Option<Above>) {
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
    pub(super) fn turn(&mut self, server: &mut Server, luck: Luck) {
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
        let answer =
            if luck == Luck::Fails { Answer::Failed("down".to_owned()) } else { self.perform(server, request, luck) };
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
                let as_it_should = server
                    .objects
                    .get(&name)
                    .is_some_and(|bytes| (bytes.len() as u64, Sha256Digest::of(bytes)) == (size, sha256));
                lost(if as_it_should { Answer::Done } else { Answer::Differs })
            }
            Request::Put { name, bytes } => {
                server.store(self.number, name, bytes, luck == Luck::Torn);
                if luck == Luck::AnswerLost { Answer::Unclear("cut".to_owned()) } else { Answer::Done }
            }
            Request::Delete(name) => {
                assert!(
                    server.authors.get(&name).is_none_or(|author| *author == self.number),
                    "{name} belongs to the other"
                );
                server.objects.remove(&name);
                lost(Answer::Done)
            }
            Request::Save(position) => {
                self.disk = *position;
                lost(Answer::Done)
            }
        }
    }

    pub(super) fn finish(&mut self, server: &mut Server) {
        while self.step.is_some() {
            self.turn(server, Luck::Works);
        }
    }

    pub(super) fn commit(&mut self, server: &mut Server) -> Result<Committed, Stop> {
        let (done, stops) = (self.done.len(), self.stops.len());
        self.begin(None);
        self.finish(server);
        if self.done.len() > done { Ok(self.done.last().unwrap().clone()) } else { Err(self.stops[stops].clone()) }
    }

    pub(super) fn survey(&self, server: &Server) -> Survey {
        survey(&server.log(&self.disk), &self.disk, &trusted(), INSTANCE, epoch(self.epoch))
    }
}

/// Every generation that a writer was told is committed is there and whole.
pub(super) fn nothing_was_lost(server: &Server, writers: &[Writer]) {
    for committed in writers.iter().flat_map(|writer| &writer.done) {
        let bytes = &server.objects[&committed.name];
        let Some(ObjectName::Manifest { sha256, .. }) = ObjectName::parse(&Stem::default(), &committed.name) else {
            panic!("{} names no manifest", committed.name);
        };
        assert_eq!(Sha256Digest::of(bytes), sha256);
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
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(800) })]
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
        commits in 1_u8..7, last in 0_usize..6, daily in 0_usize..4, weekly in 0_usize..3, verified in 0_u64..12, stopped_at in 0_usize..40,
    ) {
        let mut server = Server::default();
        let mut writer = Writer::new(0);
        for _ in 0..commits {
            writer.commit(&mut server).unwrap();
        }
        writer.disk.verified = Generation::try_from(verified.min(commits.into())).ok();
        server.store(1, "somebody-elses.db".to_owned(), vec![1], false);
        let keep = crate::config::Keep { last, daily, weekly };
        let known = known(&server, &writer.disk);
        let deletions = retention::plan(&server.listing(), &writer.disk, &known, INSTANCE, keep, at(100));
        for name in deletions.names.iter().take(stopped_at) {
            server.objects.remove(name).unwrap();
            // At no moment a manifest is there without its parts.
            for bytes in server.objects.iter().filter(|(name, _)| name.strip_suffix(".json").is_some()).map(|(_, bytes)| bytes) {
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

pub(super) fn known(server: &Server, position: &Position) -> Known {
    let names = retention::to_fetch(&server.listing(), position, &Known::new());
    names
        .into_iter()
        .map(|name| (name.clone(), retention::read(position, &name, &server.objects[&name], &trusted())))
        .collect()
}

pub(super) fn retained(server: &Server) -> BTreeSet<u64> {
    let manifests = server.objects.iter().filter(|(name, _)| name.strip_suffix(".json").is_some());
    manifests.map(|(_, bytes)| Manifest::parse(&Stem::default(), bytes).unwrap().content.generation.number()).collect()
}
