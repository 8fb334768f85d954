//! The conversation that adds a generation.
//!
//! 1. List, fetch the newest manifest: it has to be the one we know.
//! 2. Write down what will be uploaded, upload the parts, read each back.
//! 3. List and fetch again: nobody else committed meanwhile.
//! 4. Write down which manifest is intended, then send it: the commit point.
//! 5. List and fetch once more: ours is the only newest one. Only then it is committed.
//!
//! When the answer to the manifest is lost, or the process ends, the next look finds it by the name that was written down.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::SubsecRound;

use super::conversation::{Answer, NewPart, Plan, Request, Stop};
use super::position::{Committed, Position};
use super::survey::{Log, Problem, Survey, manifests_to_fetch, newest, survey};
use crate::backup::keys::{SigningKey, TrustedKeys};
use crate::backup::manifest::{Generation, MOST_PREVIOUS, Manifest, ObjectName, Owner, Part, PartObject};

/// What is next.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Step {
    /// Ask this, and tell the answer.
    Ask(Box<Commit>, Request),
    /// That was all.
    End(Ending),
}

/// How it ended.
#[derive(Debug)]
pub struct Ending {
    /// Where we stand now. The last [`Request::Save`] held the same, unless saving failed.
    pub position: Position,
    /// The new generation, or why there is none.
    pub result: Result<Committed, Stop>,
}

/// A commit on its way.
#[derive(Debug)]
pub struct Commit {
    position: Position,
    plan: Plan,
    key: SigningKey,
    trusted: TrustedKeys,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Looking { when: Look, log: Log, to_fetch: VecDeque<String> },
    JournalUploads(Basis),
    Uploading(Basis, usize),
    Checking(Basis, usize),
    JournalIntent,
    Sending,
    SaveCommitted,
    Cleaning { left: VecDeque<String>, stop: Stop },
    SaveStopped(Stop),
}

#[derive(Debug, Clone)]
enum Look {
    Before,
    Again(Basis),
    After,
}

/// What the new generation stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Basis {
    generation: Generation,
    previous: Vec<String>,
    /// Lent by the generation before.
    history: Option<PartObject>,
}

impl Commit {
    /// Begins. `trusted` has to contain the public half of `key`.
    pub fn begin(position: Position, plan: Plan, key: SigningKey, trusted: TrustedKeys) -> Step {
        let stage = Stage::Looking { when: Look::Before, log: Log::default(), to_fetch: VecDeque::new() };
        Step::Ask(Box::new(Self { position, plan, key, trusted, stage }), Request::List)
    }

    /// Goes on with the answer to what was asked.
    #[must_use]
    pub fn answer(mut self: Box<Self>, answer: Answer) -> Step {
        let stage = std::mem::replace(&mut self.stage, Stage::Sending);
        match (stage, answer) {
            (Stage::Looking { when, mut log, .. }, Answer::Listed(listing)) => {
                let to_fetch = manifests_to_fetch(&listing, &self.position).into();
                log.listing = listing;
                self.fetch_or_see(when, log, to_fetch)
            }
            (Stage::Looking { when, mut log, mut to_fetch }, Answer::Fetched(bytes)) => {
                log.fetched.extend(to_fetch.pop_front().map(|name| (name, bytes)));
                self.fetch_or_see(when, log, to_fetch)
            }
            (Stage::Looking { when: Look::After, .. }, answer) => self.end(Stop::Unclear(reason(answer))),
            (Stage::JournalUploads(basis), Answer::Done) => self.upload(basis, 0),
            (Stage::Uploading(basis, index), Answer::Done) => self.check(basis, index),
            (Stage::Checking(basis, index), Answer::Done) => self.upload(basis, index + 1),
            (Stage::Checking(_, index), Answer::Differs) => {
                let name = self.new_part_names().get(index).cloned().unwrap_or_default();
                self.clean(Stop::NotStored(name))
            }
            (Stage::JournalIntent, Answer::Done) => self.send(),
            // Whatever was answered, only a look tells.
            (Stage::Sending, Answer::Done | Answer::Unclear(_)) => self.look(Look::After),
            (Stage::Cleaning { mut left, stop }, Answer::Done) => {
                let name = left.pop_front();
                self.position.uploads.retain(|upload| Some(upload) != name.as_ref());
                self.clean_next(left, stop)
            }
            // What follows may belong to what could not be removed; retention comes back to it.
            (Stage::Cleaning { stop, .. }, _) => self.clean_next(VecDeque::new(), stop),
            // The journal finds it again, should this have failed.
            (Stage::SaveCommitted, _) => self.finish(),
            (Stage::SaveStopped(stop), _) => self.end(stop),
            (Stage::JournalIntent | Stage::Sending, answer) => {
                self.give_up_intended();
                self.clean(Stop::Failed(reason(answer)))
            }
            (Stage::Uploading(..) | Stage::Checking(..), answer) => self.clean(Stop::Failed(reason(answer))),
            (Stage::Looking { .. } | Stage::JournalUploads(_), answer) => self.end(Stop::Failed(reason(answer))),
        }
    }

    fn ask(mut self: Box<Self>, stage: Stage, request: Request) -> Step {
        self.stage = stage;
        Step::Ask(self, request)
    }

    fn save(self: Box<Self>, stage: Stage) -> Step {
        let position = Box::new(self.position.clone());
        self.ask(stage, Request::Save(position))
    }

    fn end(self: Box<Self>, stop: Stop) -> Step {
        Step::End(Ending { position: self.position, result: Err(stop) })
    }

    fn look(self: Box<Self>, when: Look) -> Step {
        self.ask(Stage::Looking { when, log: Log::default(), to_fetch: VecDeque::new() }, Request::List)
    }

    fn fetch_or_see(mut self: Box<Self>, when: Look, log: Log, to_fetch: VecDeque<String>) -> Step {
        if let Some(name) = to_fetch.front().cloned() {
            return self.ask(Stage::Looking { when, log, to_fetch }, Request::Fetch(name));
        }
        let seen = survey(&log, &self.position, &self.trusted, &self.plan.instance, self.plan.epoch);
        match when {
            Look::Before if seen.is_torn_by(&self.position) => {
                self.give_up_intended();
                self.look(Look::Before)
            }
            Look::Before => self.begin_uploads(&log, &seen),
            Look::Again(expected) => match self.basis(&log, &seen) {
                Ok(basis) if basis == expected => self.intend(basis),
                Ok(_) | Err(Stop::Refused(_)) => self.clean(Stop::Refused(Box::new(seen))),
                Err(stop) => self.clean(stop),
            },
            Look::After => self.see_after(seen),
        }
    }

    fn begin_uploads(mut self: Box<Self>, log: &Log, seen: &Survey) -> Step {
        let basis = match self.basis(log, seen) {
            Ok(basis) => basis,
            Err(stop) => return self.end(stop),
        };
        match seen {
            Survey::Landed(_) => self.position.land(),
            // One side of a fork: the decision is about it.
            _ if self.intended_is_in(&basis.previous) => self.position.intended = None,
            _ => self.give_up_intended(),
        }
        let names = self.part_objects(basis.generation).into_iter().map(|(_, part)| part.object);
        self.position.uploads.extend(names);
        self.save(Stage::JournalUploads(basis))
    }

    /// Where the new generation goes, unless the log forbids one.
    fn basis(&self, log: &Log, seen: &Survey) -> Result<Basis, Stop> {
        let (generation, previous) = match (&self.plan.above, seen) {
            (Some(above), _) => {
                let there = newest(&log.listing, &self.position).map(|(_, names)| names).unwrap_or_default();
                if there.iter().collect::<BTreeSet<_>>() != above.previous.iter().collect() {
                    return Err(Stop::Refused(Box::new(seen.clone())));
                }
                (Some(above.generation), above.previous.clone())
            }
            (None, Survey::Empty) => (Some(Generation::FIRST), vec![]),
            (None, Survey::Head(head) | Survey::Landed(head)) => {
                (head.manifest.generation.next(), vec![head.name.clone()])
            }
            (None, _) => return Err(Stop::Refused(Box::new(seen.clone()))),
        };
        let known = match seen {
            Survey::Landed(head) => Some(&head.manifest),
            _ => self.position.committed.as_ref().map(|committed| &committed.manifest),
        };
        let listed = |part: &&PartObject| {
            log.listing.get(&part.object).is_some_and(|size| size.is_none_or(|size| size == part.size))
        };
        let history = known.and_then(|manifest| manifest.history.as_ref()).filter(listed).cloned();
        Ok(Basis { generation: generation.ok_or(Stop::UsedUp)?, previous, history })
    }

    fn part_objects(&self, generation: Generation) -> Vec<(Part, PartObject)> {
        let owner = Owner::of(&self.plan.instance);
        let [core_nonce, history_nonce, _] = self.plan.nonces;
        let object = |part, new: &NewPart, nonce| {
            let name = ObjectName::of_part(generation, part, owner, &new.sha256, nonce);
            let object = name.to_text(&self.position.stem);
            (
                part,
                PartObject {
                    object,
                    size: new.size,
                    sha256: new.sha256,
                    content: new.content,
                    recipients: new.recipients,
                },
            )
        };
        let core = object(Part::Core, &self.plan.core, core_nonce);
        let history = self.plan.history.as_ref().map(|new| object(Part::History, new, history_nonce));
        std::iter::once(core).chain(history).collect()
    }

    fn upload(self: Box<Self>, basis: Basis, index: usize) -> Step {
        match self.part_objects(basis.generation).into_iter().nth(index) {
            Some((part, object)) => {
                self.ask(Stage::Uploading(basis, index), Request::Upload { part, name: object.object })
            }
            None => self.look(Look::Again(basis)),
        }
    }

    fn check(self: Box<Self>, basis: Basis, index: usize) -> Step {
        match self.part_objects(basis.generation).into_iter().nth(index) {
            Some((_, PartObject { object: name, size, sha256, .. })) => {
                self.ask(Stage::Checking(basis, index), Request::Check { name, size, sha256 })
            }
            None => self.look(Look::Again(basis)),
        }
    }

    fn intend(mut self: Box<Self>, basis: Basis) -> Step {
        let mut parts: BTreeMap<Part, PartObject> = self.part_objects(basis.generation).into_iter().collect();
        let Some(core) = parts.remove(&Part::Core) else { return self.end(Stop::UsedUp) };
        let manifest = Manifest {
            generation: basis.generation,
            instance: self.plan.instance.clone(),
            epoch: self.plan.epoch,
            previous: basis.previous.into_iter().take(MOST_PREVIOUS).collect(),
            core,
            history: parts.remove(&Part::History).or(basis.history),
            writer: self.plan.writer.clone(),
            time: self.plan.time.trunc_subsecs(0),
        };
        let name = ObjectName::of_manifest(manifest.generation, &manifest.to_bytes(&self.key), self.plan.nonces[2]);
        let name = name.to_text(&self.position.stem);
        self.position.intended = Some(Committed { name, manifest });
        self.save(Stage::JournalIntent)
    }

    fn send(self: Box<Self>) -> Step {
        let Some(Committed { name, manifest }) = self.position.intended.clone() else { return self.end(Stop::UsedUp) };
        let bytes = manifest.to_bytes(&self.key);
        self.ask(Stage::Sending, Request::Put { name, bytes })
    }

    fn see_after(mut self: Box<Self>, seen: Survey) -> Step {
        let intended = self.position.intended.as_ref().map(|intended| intended.name.clone()).unwrap_or_default();
        match seen {
            Survey::Landed(_) => {
                self.position.land();
                self.save(Stage::SaveCommitted)
            }
            Survey::Damaged { name, problem: Problem::Overwritten | Problem::Unreadable(_), .. }
                if name == intended =>
            {
                self.give_up_intended();
                self.clean(Stop::NotStored(name))
            }
            Survey::Fork { .. } => self.end(Stop::Forked(Box::new(seen))),
            Survey::Foreign(..) => self.end(Stop::Refused(Box::new(seen))),
            _ => self.end(Stop::Unclear("it is not listed yet".to_owned())),
        }
    }

    fn finish(self: Box<Self>) -> Step {
        let result = self.position.committed.clone().ok_or(Stop::UsedUp);
        Step::End(Ending { position: self.position, result })
    }

    fn intended_is_in(&self, names: &[String]) -> bool {
        self.position.intended.as_ref().is_some_and(|intended| names.contains(&intended.name))
    }

    fn give_up_intended(&mut self) {
        if let Some(intended) = self.position.intended.take() {
            self.position.abandon(intended.name);
        }
    }

    fn new_part_names(&self) -> Vec<String> {
        let mine = |name: &&String| match ObjectName::parse(&self.position.stem, name) {
            Some(ObjectName::Part { nonce, .. }) => self.plan.nonces[..2].contains(&nonce),
            _ => false,
        };
        self.position.uploads.iter().filter(mine).cloned().collect()
    }

    /// Removes what this commit brought, as far as the server lets us.
    fn clean(self: Box<Self>, stop: Stop) -> Step {
        let manifest =
            self.position.abandoned.last().filter(|name| match ObjectName::parse(&self.position.stem, name) {
                Some(ObjectName::Manifest { nonce, .. }) => nonce == self.plan.nonces[2],
                _ => false,
            });
        let left = manifest.cloned().into_iter().chain(self.new_part_names()).collect();
        self.clean_next(left, stop)
    }

    fn clean_next(self: Box<Self>, left: VecDeque<String>, stop: Stop) -> Step {
        match left.front().cloned() {
            Some(name) => self.ask(Stage::Cleaning { left, stop }, Request::Delete(name)),
            None => self.save(Stage::SaveStopped(stop)),
        }
    }
}

fn reason(answer: Answer) -> String {
    match answer {
        Answer::Failed(why) | Answer::Unclear(why) => why,
        other => format!("unexpected answer: {other:?}"),
    }
}
