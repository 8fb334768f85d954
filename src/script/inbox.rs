//! Whose words count, since when, and what was heard.
//!
//! In a private chat only the peer's words count. In a group anybody can say "signed in", so:
//! - people and channels never count, whatever they answer to: members post under channels too, and an inline bot puts
//!   buttons under a member's name;
//! - a bot counts unless it speaks to somebody else: it answers a message that is neither ours nor one that counts, or it
//!   names other members and not us;
//! - the anonymous administrator counts when answering one of our messages.
//!
//! In a channel everything counts: only its administrators can post.
//!
//! Our own messages never count, from whichever client. A text is evidence when it [follows](Heard::follows) our first
//! action. The text of a message that is deleted later stays heard; its buttons are gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::classify::Classified;
use super::keyboard::Target;
use super::message::{Button, ChatMessage, Media, Mention, Place, Position, Sender, Use};
use super::protocol::Elapsed;
use super::verdict::EvidenceSource;
use super::{keyboard, text};

/// How many texts and how many messages are kept.
const KEPT: usize = 100;

/// One thing the other side said.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    /// Order of hearing.
    pub(super) order: u64,
    pub(super) source: EvidenceSource,
    pub(super) message_id: Option<i32>,
    /// Not cut: patterns may look for its end.
    pub(super) text: String,
    pub(super) at: Elapsed,
    pub(super) class: Option<Classified>,
    /// Says `already`, but under a button that the script pressed all the same: the answer to that decides.
    pub(super) spared: bool,
    date: i64,
    edited: Option<i64>,
    /// Read from the history: the order of hearing says nothing.
    old: bool,
}

/// Something we did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Action {
    /// What is heard from this number on was heard after it.
    pub(super) order: u64,
    /// In Telegram's seconds; the action happened then or later.
    pub(super) date: i64,
    pub(super) place: ActionPlace,
}

/// Where an action stands among the messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum ActionPlace {
    /// It is this message.
    Message(i32),
    /// It is a click, done when this was the highest known id.
    After(i32),
}

impl Heard {
    /// Whether this was said after `action`.
    ///
    /// A new message is later than our message when its id is higher. An edit of an older message must also be later by
    /// Telegram's clock, which counts whole seconds: within the same second it is taken for later only when it was seen
    /// after the action.
    pub(super) fn follows(&self, action: &Action) -> bool {
        let seen_after = !self.old && self.order >= action.order;
        match (self.source, action.place) {
            (EvidenceSource::Sent, _) => false,
            (EvidenceSource::Popup, _) => self.order >= action.order,
            (_, ActionPlace::Message(own)) if self.message_id.is_some_and(|id| id > own) => true,
            (EvidenceSource::Message, ActionPlace::Message(_)) => false,
            (EvidenceSource::Message, ActionPlace::After(floor)) => {
                self.message_id.is_some_and(|id| id > floor) && (seen_after || self.old && self.date >= action.date)
            }
            (EvidenceSource::Edit, ActionPlace::Message(_)) => {
                self.edited.is_some_and(|edited| edited > action.date || seen_after && edited == action.date)
            }
            (EvidenceSource::Edit, ActionPlace::After(_)) => {
                (self.old || seen_after) && self.edited.is_none_or(|edited| edited >= action.date)
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Kept {
    message: ChatMessage,
    /// Grows with each change.
    version: u64,
}

/// A button that was pressed; `None` stands for all of the message's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pressed {
    message_id: i32,
    version: u64,
    position: Option<Position>,
}

#[derive(Debug)]
pub(super) struct Inbox {
    place: Place,
    own: BTreeSet<i32>,
    messages: BTreeMap<i32, Kept>,
    heard: VecDeque<Heard>,
    pressed: Vec<Pressed>,
    next: u64,
    highest_id: i32,
    latest_date: i64,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    New,
    Edit,
    History,
}

impl Inbox {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            own: BTreeSet::new(),
            messages: BTreeMap::new(),
            heard: VecDeque::new(),
            pressed: Vec::new(),
            next: 0,
            highest_id: 0,
            latest_date: 0,
        }
    }

    /// The number the next text will get.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// The highest id of a message that is known, whoever wrote it.
    pub(super) fn highest_id(&self) -> i32 {
        self.highest_id
    }

    pub(super) fn add_own(&mut self, message_id: i32) {
        self.own.insert(message_id);
    }

    /// A click as an action that happens now.
    pub(super) fn click_now(&self) -> Action {
        Action { order: self.next, date: self.latest_date, place: ActionPlace::After(self.highest_id) }
    }

    /// Takes a message in when it counts.
    pub(super) fn admit(
        &mut self,
        now: Elapsed,
        arrival: Arrival,
        message: ChatMessage,
        classify: impl FnOnce(&str) -> Option<Classified>,
    ) {
        self.highest_id = self.highest_id.max(message.id);
        if !self.counts(&message) {
            return;
        }
        let known = self.messages.get(&message.id);
        if known.is_none() && arrival == Arrival::Edit && message.edited.is_none() {
            return; // a reaction or a view count on something from long ago, not new words
        }
        let dated = arrival != Arrival::Edit || message.edited.is_some();
        if dated && known.is_some_and(|kept| kept.message.changed() > message.changed()) {
            return; // an older version that comes late
        }
        self.latest_date = self.latest_date.max(message.changed());
        let same_text = known.is_some_and(|kept| kept.message.text == message.text);
        let same_keyboard = known.is_some_and(|kept| kept.message.keyboard == message.keyboard);
        let edit = known.is_some() || message.edited.is_some() || arrival == Arrival::Edit;
        if !same_text && !message.text.trim().is_empty() {
            self.hear(Heard {
                order: 0,
                source: if edit { EvidenceSource::Edit } else { EvidenceSource::Message },
                message_id: Some(message.id),
                class: classify(&message.text),
                text: message.text.clone(),
                at: now,
                spared: false,
                date: message.date,
                edited: message.edited,
                old: arrival == Arrival::History,
            });
        }
        let version = self.messages.get(&message.id).map_or(0, |kept| kept.version);
        let version = if same_text && same_keyboard { version } else { version + 1 };
        self.messages.insert(message.id, Kept { message, version });
        if self.messages.len() > KEPT {
            let oldest = self.messages.values().min_by_key(|kept| (kept.message.changed(), kept.message.id));
            if let Some(id) = oldest.map(|kept| kept.message.id) {
                self.messages.remove(&id);
            }
        }
    }

    pub(super) fn hear_popup(&mut self, now: Elapsed, message_id: Option<i32>, text: &str, class: Option<Classified>) {
        if text.trim().is_empty() {
            return;
        }
        self.hear(Heard {
            order: 0,
            source: EvidenceSource::Popup,
            message_id,
            text: text.to_owned(),
            at: now,
            class,
            spared: false,
            date: self.latest_date,
            edited: None,
            old: false,
        });
    }

    fn hear(&mut self, heard: Heard) {
        self.heard.push_back(Heard { order: self.next, ..heard });
        self.next += 1;
        if self.heard.len() > KEPT {
            self.heard.pop_front();
        }
    }

    /// Brings texts of the history into the order in which they were said.
    pub(super) fn sort_by_time(&mut self) {
        let heard = self.heard.make_contiguous();
        heard.sort_by_key(|heard| (heard.edited.unwrap_or(heard.date), heard.message_id));
        for (order, heard) in (0..).zip(heard) {
            heard.order = order;
        }
    }

    /// The highest known id of a message that was sent before `date`, in Telegram's seconds.
    pub(super) fn highest_id_before(&self, date: i64) -> i32 {
        let messages = self.messages.values().map(|kept| &kept.message);
        messages.filter(|message| message.date < date).map(|message| message.id).max().unwrap_or(0)
    }

    pub(super) fn forget(&mut self, message_ids: &[i32]) {
        for id in message_ids {
            self.messages.remove(id);
        }
    }

    /// Oldest first.
    pub(super) fn heard(&self) -> impl DoubleEndedIterator<Item = &Heard> {
        self.heard.iter()
    }

    /// The button that `targets` want for `wanted`, on the newest message that has one. Before our first message any message
    /// will do, after it only those that `since` lets pass.
    pub(super) fn pick(
        &self,
        targets: &[Target],
        wanted: Use,
        since: Option<&Action>,
    ) -> Option<(&ChatMessage, Position, &Button)> {
        self.newest_first(since).find_map(|kept| {
            let (position, button) = keyboard::pick(targets, &kept.message, |position, button| {
                button.kind.serves(wanted) && !self.was_pressed(kept, position)
            })?;
            Some((&kept.message, position, button))
        })
    }

    /// The buttons that can be pressed under a message, or else under the newest later one that has some.
    pub(super) fn buttons_for(&self, message_id: i32) -> Option<(&ChatMessage, Vec<(Position, &Button)>)> {
        let pressable = |kept: &'_ Kept| {
            let kept_buttons = keyboard::buttons(&kept.message);
            kept_buttons
                .filter(|(position, button)| button.kind.serves(Use::Press) && !self.was_pressed(kept, *position))
                .map(|(position, _)| position)
                .collect::<Vec<_>>()
        };
        let later = self.messages.range(message_id..).map(|(_, kept)| kept);
        let own = self.messages.get(&message_id);
        let found = own.into_iter().chain(later.rev()).find(|kept| !pressable(kept).is_empty())?;
        let positions = pressable(found);
        let buttons = keyboard::buttons(&found.message).filter(|(position, _)| positions.contains(position)).collect();
        Some((&found.message, buttons))
    }

    /// The newest message since the action that carries this.
    pub(super) fn newest_with(&self, media: Media, since: Option<&Action>) -> Option<&ChatMessage> {
        self.newest_first(since).map(|kept| &kept.message).find(|message| message.media == media)
    }

    /// Whether the text is that of a message as it is now.
    pub(super) fn still_says(&self, heard: &Heard) -> bool {
        heard.source != EvidenceSource::Popup
            && heard
                .message_id
                .and_then(|id| self.messages.get(&id))
                .is_some_and(|kept| kept.message.text == heard.text)
    }

    pub(super) fn is_group(&self) -> bool {
        self.place == Place::Group
    }

    /// The labels on the newest message that has buttons; those that are of no use say why.
    pub(super) fn labels(&self, wanted: Use, since: Option<&Action>) -> Vec<String> {
        self.newest_first(since).find(|kept| !kept.message.keyboard.is_empty()).map_or_else(Vec::new, |kept| {
            keyboard::buttons(&kept.message)
                .map(|(position, button)| {
                    let label = text::cut(&button.text, 40);
                    if !button.kind.serves(wanted) {
                        format!("'{label}' ({})", button.kind.excuse())
                    } else if self.was_pressed(kept, position) {
                        format!("'{label}' (pressed before)")
                    } else {
                        format!("'{label}'")
                    }
                })
                .collect()
        })
    }

    /// Whether `targets` want a button under the message that said `heard`.
    pub(super) fn wants_button_under(&self, heard: &Heard, targets: &[Target], since: Option<&Action>) -> bool {
        heard.message_id.is_some()
            && self.pick(targets, Use::Press, since).map(|(message, ..)| message.id) == heard.message_id
    }

    pub(super) fn press(&mut self, message_id: i32, position: Option<Position>) {
        if let Some(kept) = self.messages.get(&message_id) {
            self.pressed.push(Pressed { message_id, version: kept.version, position });
        }
        for heard in self.heard.iter_mut().filter(|heard| heard.message_id == Some(message_id)) {
            heard.spared = true;
        }
    }

    /// Whether the message is as it was before `date`, in Telegram's seconds.
    pub(super) fn unchanged_since(&self, message_id: i32, date: i64) -> bool {
        self.messages
            .get(&message_id)
            .is_some_and(|kept| kept.message.changed() < date || kept.message.edited.is_none())
    }

    fn was_pressed(&self, kept: &Kept, position: Position) -> bool {
        self.pressed.iter().any(|pressed| {
            pressed.message_id == kept.message.id
                && pressed.version == kept.version
                && pressed.position.is_none_or(|pressed| pressed == position)
        })
    }

    fn newest_first(&self, since: Option<&Action>) -> impl Iterator<Item = &Kept> {
        let mut kept: Vec<&Kept> = self
            .messages
            .values()
            .filter(|kept| match since.map(|action| (action.place, action.date)) {
                None | Some((ActionPlace::After(_), _)) => true,
                Some((ActionPlace::Message(own), date)) => {
                    kept.message.id > own || kept.message.edited.is_some_and(|edited| edited >= date)
                }
            })
            .collect();
        kept.sort_by_key(|kept| std::cmp::Reverse((kept.message.changed(), kept.message.id)));
        kept.into_iter()
    }

    fn counts(&self, message: &ChatMessage) -> bool {
        if message.outgoing {
            return false;
        }
        let answers_us = message.reply_to.is_some_and(|id| self.own.contains(&id));
        let answers_other =
            message.reply_to.is_some_and(|id| !self.own.contains(&id) && !self.messages.contains_key(&id));
        match (self.place, message.from) {
            (Place::Private { peer }, Sender::Peer { id, .. }) => id == peer,
            (Place::Group, Sender::Peer { is_bot: true, .. }) => {
                answers_us || !answers_other && message.mention != Mention::Others
            }
            (Place::Group, Sender::AnonymousAdmin) => answers_us,
            (Place::Channel, _) => true,
            (Place::Private { .. } | Place::Group, _) => false,
        }
    }
}
