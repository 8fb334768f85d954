//! One numbering of messages: the private chats and basic groups of an account, or one supergroup.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::content::Content;

/// How many changes a box remembers for `getDifference`; who is further behind gets "too long".
const REMEMBERED_CHANGES: usize = 10_000;

/// A chat as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ChatKey {
    /// A private chat, by user identifier.
    User(i64),
    /// A basic group, by index.
    Group(usize),
    /// A supergroup, by index.
    Supergroup(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: i32,
    pub(crate) chat: ChatKey,
    pub(crate) from: i64,
    pub(crate) date: i32,
    pub(crate) edit_date: Option<i32>,
    pub(crate) reply_to: Option<i32>,
    pub(crate) topic: Option<i32>,
    pub(crate) body: Body,
    /// Common number of the copies in several boxes.
    pub(crate) origin: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Content(Arc<Content>),
    TopicCreated { title: String },
}

impl Stored {
    pub(crate) fn content(&self) -> Option<&Arc<Content>> {
        match &self.body {
            Body::Content(content) => Some(content),
            Body::TopicCreated { .. } => None,
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.content().map_or("", |content| &content.text)
    }
}

/// Something that moved the update state (`pts`) of a box.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    New(i32),
    Edited(i32),
    Deleted(Vec<i32>),
    Read(ChatKey, i32),
}

impl Change {
    pub(crate) fn count(&self) -> i32 {
        match self {
            Self::Deleted(ids) => i32::try_from(ids.len()).unwrap_or(i32::MAX),
            _ => 1,
        }
    }
}

#[derive(Default)]
pub(crate) struct MessageBox {
    messages: BTreeMap<i32, Stored>,
    chats: HashMap<ChatKey, Chat>,
    last_id: i32,
    pts: i32,
    last_change: i32,
    changes: VecDeque<(i32, Change)>,
}

#[derive(Default)]
struct Chat {
    /// Ascending.
    ids: Vec<i32>,
    read_until: i32,
}

/// The paging arguments that all history methods share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    pub(crate) offset_id: i32,
    pub(crate) offset_date: i32,
    pub(crate) add_offset: i32,
    pub(crate) limit: i32,
    pub(crate) max_id: i32,
    pub(crate) min_id: i32,
}

impl Window {
    /// The page of an ascending list of `(id, date)`: counted from the newest, `add_offset` after the first
    /// message older than the offset.
    pub(crate) fn page(self, ids: &[i32], date_of: impl Fn(i32) -> i32) -> Range<usize> {
        let start = ids.partition_point(|&id| id <= self.min_id);
        let end = if self.max_id > 0 { ids.partition_point(|&id| id < self.max_id) } else { ids.len() };
        let older = if self.offset_id > 0 {
            ids.partition_point(|&id| id < self.offset_id)
        } else if self.offset_date > 0 {
            ids.partition_point(|&id| date_of(id) < self.offset_date)
        } else {
            ids.len()
        };
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let clamp = |n: i64| usize::try_from(n.clamp(signed(start), signed(end.max(start)))).unwrap_or(start);
        let top = signed(older) - i64::from(self.add_offset);
        clamp(top - i64::from(self.limit.clamp(0, 100)))..clamp(top)
    }
}

impl MessageBox {
    pub(crate) fn pts(&self) -> i32 {
        // Zero means "no state" to clients.
        self.pts + 1
    }

    /// When something was sent, edited or deleted last.
    pub(crate) fn last_change(&self) -> i32 {
        self.last_change
    }

    pub(crate) fn get(&self, id: i32) -> Option<&Stored> {
        self.messages.get(&id)
    }

    pub(crate) fn next_id(&self) -> i32 {
        self.last_id + 1
    }

    /// Adds a message under its own identifier, which must be larger than all before.
    pub(crate) fn add(&mut self, message: Stored) -> Change {
        let (id, date) = (message.id, message.date);
        self.last_id = id;
        self.chats.entry(message.chat).or_default().ids.push(id);
        self.messages.insert(id, message);
        self.change(Change::New(id), date)
    }

    pub(crate) fn edit(&mut self, id: i32, content: Arc<Content>, date: i32) -> Option<Change> {
        let message = self.messages.get_mut(&id)?;
        message.body = Body::Content(content);
        message.edit_date = Some(date);
        Some(self.change(Change::Edited(id), date))
    }

    /// Deletes what exists of `ids`.
    pub(crate) fn delete(&mut self, ids: &[i32], date: i32) -> Option<Change> {
        let mut deleted = Vec::new();
        for id in ids {
            let Some(message) = self.messages.remove(id) else {
                continue;
            };
            deleted.push(*id);
            if let Some(chat) = self.chats.get_mut(&message.chat)
                && let Ok(position) = chat.ids.binary_search(id)
            {
                chat.ids.remove(position);
            }
        }
        (!deleted.is_empty()).then(|| self.change(Change::Deleted(deleted), date))
    }

    /// Marks a chat as read; `None` when it was already.
    pub(crate) fn read(&mut self, chat: ChatKey, until: i32) -> Option<Change> {
        let state = self.chats.get_mut(&chat)?;
        let until = if until > 0 { until } else { state.ids.last().copied().unwrap_or(0) };
        if until <= state.read_until {
            return None;
        }
        state.read_until = until;
        Some(self.change(Change::Read(chat, until), self.last_change))
    }

    fn change(&mut self, change: Change, date: i32) -> Change {
        self.last_change = date;
        self.pts += change.count();
        if self.changes.len() >= REMEMBERED_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back((self.pts(), change.clone()));
        change
    }

    /// The changes after `pts` with the state each led to, or `None` when some of them are forgotten.
    pub(crate) fn changes_after(&self, pts: i32) -> Option<impl Iterator<Item = &(i32, Change)>> {
        let oldest = self.changes.front().map_or(self.pts(), |(after, change)| after - change.count());
        if pts < oldest {
            return None;
        }
        let start = self.changes.partition_point(|(after, _)| *after <= pts);
        Some(self.changes.range(start..))
    }

    /// The identifiers of a chat, ascending.
    pub(crate) fn ids(&self, chat: ChatKey) -> &[i32] {
        self.chats.get(&chat).map_or(&[], |chat| &chat.ids)
    }

    pub(crate) fn date_of(&self, id: i32) -> i32 {
        self.messages.get(&id).map_or(0, |message| message.date)
    }

    pub(crate) fn top(&self, chat: ChatKey) -> Option<&Stored> {
        self.get(*self.ids(chat).last()?)
    }

    pub(crate) fn read_until(&self, chat: ChatKey) -> i32 {
        self.chats.get(&chat).map_or(0, |chat| chat.read_until)
    }

    /// How many messages of others came after `read_until`.
    pub(crate) fn unread(&self, chat: ChatKey, read_until: i32, own: i64) -> i32 {
        let ids = self.ids(chat);
        let unread = &ids[ids.partition_point(|&id| id <= read_until)..];
        let count = unread.iter().filter(|id| self.get(**id).is_some_and(|message| message.from != own)).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    pub(crate) fn chats(&self) -> impl Iterator<Item = ChatKey> {
        self.chats.keys().copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CHAT: ChatKey = ChatKey::User(7);

    fn message(id: i32) -> Stored {
        Stored {
            id,
            chat: CHAT,
            from: 7,
            date: 1000 + id,
            edit_date: None,
            reply_to: None,
            topic: None,
            body: Body::Content(Arc::new(Content::text("x"))),
            origin: None,
        }
    }

    fn filled(count: i32) -> MessageBox {
        let mut messages = MessageBox::default();
        for id in 1..=count {
            messages.add(message(id));
        }
        messages
    }

    #[test]
    fn pages_go_from_new_to_old() {
        let ids: Vec<i32> = (1..=10).collect();
        let page = |window: Window| ids[window.page(&ids, |id| 1000 + id)].to_vec();
        let limit = |limit| Window { limit, ..Window::default() };
        assert_eq!(page(limit(3)), [8, 9, 10]);
        assert_eq!(page(limit(0)), [0; 0]);
        assert_eq!(page(limit(-5)), [0; 0]);
        assert_eq!(page(limit(1000)), ids);
        assert_eq!(page(Window { offset_id: 5, ..limit(2) }), [3, 4]);
        assert_eq!(page(Window { offset_date: 1005, ..limit(2) }), [3, 4]);
        assert_eq!(page(Window { offset_id: 5, add_offset: -2, ..limit(2) }), [5, 6]);
        assert_eq!(page(Window { offset_id: 1, add_offset: -2, ..limit(3) }), [1, 2]);
        assert_eq!(page(Window { min_id: 8, ..limit(100) }), [9, 10]);
        assert_eq!(page(Window { max_id: 3, ..limit(100) }), [1, 2]);
        assert_eq!(page(Window { max_id: 3, min_id: 8, ..limit(100) }), [0; 0]);
        assert_eq!(page(Window { add_offset: i32::MIN, limit: i32::MAX, ..limit(0) }), [0; 0]);
    }

    #[test]
    fn every_change_moves_the_state_by_its_count() {
        let mut messages = filled(3);
        let before = messages.pts();
        messages.edit(2, Arc::new(Content::text("y")), 5).unwrap();
        assert_eq!(messages.pts(), before + 1);
        assert_eq!(messages.delete(&[1, 2, 99], 6).unwrap().count(), 2);
        assert_eq!(messages.pts(), before + 3);
        assert!(messages.delete(&[1], 7).is_none());
        assert!(messages.edit(1, Arc::new(Content::text("z")), 5).is_none());
        assert_eq!(messages.ids(CHAT), [3]);
        assert_eq!(messages.changes_after(before).unwrap().count(), 2);
        assert_eq!(messages.changes_after(messages.pts()).unwrap().count(), 0);
        assert_eq!((messages.next_id(), messages.last_change()), (4, 6));
    }

    #[test]
    fn a_forgotten_state_is_too_long_ago() {
        let messages = filled(i32::try_from(REMEMBERED_CHANGES).unwrap() + 1);
        assert!(messages.changes_after(1).is_none());
        assert_eq!(messages.changes_after(2).unwrap().count(), REMEMBERED_CHANGES);
    }

    #[test]
    fn reading_counts_down() {
        let mut messages = filled(4);
        assert_eq!(messages.unread(CHAT, messages.read_until(CHAT), 1), 4);
        assert_eq!(messages.unread(CHAT, 0, 7), 0);
        assert!(messages.read(CHAT, 3).is_some());
        assert!(messages.read(CHAT, 2).is_none());
        assert_eq!(messages.unread(CHAT, messages.read_until(CHAT), 1), 1);
        assert!(messages.read(CHAT, 0).is_some());
        assert_eq!(messages.read_until(CHAT), 4);
    }
}
