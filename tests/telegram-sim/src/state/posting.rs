//! Sending, editing and deleting, with the copies and pushes that follow.

use std::sync::Arc;

use grammers_tl_types::Serializable;

use super::message_box::{Body, Change, ChatKey, MessageBox, Stored};
use super::people::{State, UserRef};
use crate::connection::Outgoing;
use crate::content::{Content, Media};
use crate::tl::View;

/// Where a conversation happens. Messages are numbered differently in each: in a private chat as `account` does,
/// in a basic group by the common number of their copies, in a supergroup by the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Private { account: usize, with: i64 },
    Group(usize),
    Supergroup(usize),
}

/// One numbering of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BoxRef {
    Account(usize),
    Supergroup(usize),
}

/// A message on its way.
pub(crate) struct Draft {
    pub(crate) from: i64,
    pub(crate) content: Arc<Content>,
    /// As the place counts.
    pub(crate) reply_to: Option<i64>,
    pub(crate) topic: Option<i32>,
}

impl State {
    pub(crate) fn messages(&self, of: BoxRef) -> &MessageBox {
        match of {
            BoxRef::Account(account) => &self.accounts[account].messages,
            BoxRef::Supergroup(group) => &self.groups[group].messages,
        }
    }

    pub(crate) fn messages_mut(&mut self, of: BoxRef) -> &mut MessageBox {
        match of {
            BoxRef::Account(account) => &mut self.accounts[account].messages,
            BoxRef::Supergroup(group) => &mut self.groups[group].messages,
        }
    }

    /// Where the account sees the place.
    pub(crate) fn chat_of(&self, place: Place, account: usize) -> (BoxRef, ChatKey) {
        match place {
            Place::Private { account: owner, with } if owner == account => {
                (BoxRef::Account(account), ChatKey::User(with))
            }
            Place::Private { account: owner, .. } => {
                (BoxRef::Account(account), ChatKey::User(self.accounts[owner].user_id))
            }
            Place::Group(group) => (BoxRef::Account(account), ChatKey::Group(group)),
            Place::Supergroup(group) => (BoxRef::Supergroup(group), ChatKey::Supergroup(group)),
        }
    }

    /// The number that `account` knows a message of the place by.
    pub(crate) fn id_for(&self, place: Place, id: i64, account: usize) -> Option<i32> {
        match place {
            Place::Group(_) => self.copies.get(&id)?.iter().find(|(owner, _)| *owner == account).map(|(_, id)| *id),
            Place::Private { account: owner, .. } if owner != account => {
                let origin = self.messages(BoxRef::Account(owner)).get(i32::try_from(id).ok()?)?.origin?;
                self.copies.get(&origin)?.iter().find(|(copy, _)| *copy == account).map(|(_, id)| *id)
            }
            Place::Private { .. } | Place::Supergroup(_) => i32::try_from(id).ok(),
        }
    }

    /// The number of the place for a message that `account` knows as `id`.
    pub(crate) fn place_id(&self, place: Place, id: i32, account: usize) -> Option<i64> {
        let (of, chat) = self.chat_of(place, account);
        let message = self.messages(of).get(id).filter(|message| message.chat == chat)?;
        match place {
            Place::Group(_) => message.origin,
            Place::Private { .. } | Place::Supergroup(_) => Some(i64::from(id)),
        }
    }

    /// Every box that holds a message of the place, with its number there.
    fn locations(&self, place: Place, id: i64) -> Vec<(BoxRef, i32)> {
        let copies = |origin: i64| {
            let copies = self.copies.get(&origin).map_or(&[][..], Vec::as_slice);
            copies.iter().map(|&(account, id)| (BoxRef::Account(account), id)).collect()
        };
        let own = i32::try_from(id).unwrap_or(0);
        match place {
            Place::Supergroup(group) => vec![(BoxRef::Supergroup(group), own)],
            Place::Group(_) => copies(id),
            Place::Private { account, .. } => match self.accounts[account].messages.get(own) {
                Some(Stored { origin: Some(origin), .. }) => copies(*origin),
                _ => vec![(BoxRef::Account(account), own)],
            },
        }
    }

    /// Puts a message into every box it belongs to and pushes it to everyone who listens, but not to the
    /// connection `skip`, which learns of it otherwise. Returns its number in the place.
    pub(crate) fn post(&mut self, place: Place, draft: &Draft, date: i32, skip: Option<u64>) -> i64 {
        self.keep_files(&draft.content);
        let recipients: Vec<usize> = match place {
            Place::Supergroup(group) => {
                let id = self.groups[group].messages.next_id();
                let chat = ChatKey::Supergroup(group);
                let reply_to = self.reply_for(place, draft, 0);
                self.add(BoxRef::Supergroup(group), stored(id, chat, draft, reply_to, None, date), skip);
                return i64::from(id);
            }
            Place::Group(group) => self.groups[group].members.iter().copied().collect(),
            Place::Private { account, with } => match self.user(with) {
                Some(UserRef::Account(other)) if other != account => vec![account, other],
                _ => vec![account],
            },
        };
        let is_copied = matches!(place, Place::Group(_)) || recipients.len() > 1;
        let origin = is_copied.then(|| {
            self.last_origin += 1;
            self.last_origin
        });
        let mut copies = Vec::with_capacity(recipients.len());
        for &account in &recipients {
            let (of, chat) = self.chat_of(place, account);
            let reply_to = self.reply_for(place, draft, account);
            let id = self.messages(of).next_id();
            copies.push((account, id));
            self.add(of, stored(id, chat, draft, reply_to, origin, date), skip);
        }
        let own = copies.first().map_or(0, |(_, id)| i64::from(*id));
        if let Some(origin) = origin {
            self.copies.insert(origin, copies);
        }
        if let (Place::Group(_), Some(origin)) = (place, origin) { origin } else { own }
    }

    fn keep_files(&mut self, content: &Content) {
        match &content.media {
            Some(Media::Photo(photo)) => {
                self.photos.entry(photo.id()).or_insert_with(|| photo.clone());
            }
            Some(Media::Document(document)) => {
                self.documents.entry(document.id()).or_insert_with(|| document.clone());
            }
            Some(Media::Poll(_) | Media::Dice { .. }) | None => {}
        }
    }

    /// What a draft replies to, as `account` counts, unless it was deleted meanwhile.
    fn reply_for(&self, place: Place, draft: &Draft, account: usize) -> Option<i32> {
        let id = self.id_for(place, draft.reply_to?, account)?;
        let (of, _) = self.chat_of(place, account);
        self.messages(of).get(id).map(|message| message.id)
    }

    fn add(&mut self, of: BoxRef, message: Stored, skip: Option<u64>) {
        let change = self.messages_mut(of).add(message);
        self.push(of, &change, skip);
    }

    /// Replaces a message everywhere. The picture stays when the new content has none.
    pub(crate) fn edit(&mut self, place: Place, id: i64, mut content: Content, date: i32, skip: Option<u64>) -> bool {
        let locations = self.locations(place, id);
        if content.media.is_none() {
            let old = locations.first().and_then(|&(of, id)| self.messages(of).get(id));
            content.media = old.and_then(|message| message.content()).and_then(|content| content.media.clone());
        }
        self.keep_files(&content);
        let content = Arc::new(content);
        let mut edited = false;
        for (of, id) in locations {
            if let Some(change) = self.messages_mut(of).edit(id, content.clone(), date) {
                edited = true;
                self.push(of, &change, skip);
            }
        }
        edited
    }

    /// Deletes a message everywhere.
    pub(crate) fn delete(&mut self, place: Place, id: i64, date: i32) {
        for (of, id) in self.locations(place, id) {
            self.delete_in(of, &[id], date, None);
        }
    }

    pub(crate) fn delete_in(&mut self, of: BoxRef, ids: &[i32], date: i32, skip: Option<u64>) -> Option<Change> {
        let change = self.messages_mut(of).delete(ids, date)?;
        self.push(of, &change, skip);
        Some(change)
    }

    pub(crate) fn push(&self, of: BoxRef, change: &Change, skip: Option<u64>) {
        match of {
            BoxRef::Account(account) => self.push_to(account, of, change, skip),
            BoxRef::Supergroup(group) => {
                for &account in &self.groups[group].members {
                    self.push_to(account, of, change, skip);
                }
            }
        }
    }

    fn push_to(&self, account: usize, of: BoxRef, change: &Change, skip: Option<u64>) {
        let mut listeners =
            self.accounts[account].subscribers.iter().filter(|listener| Some(listener.connection) != skip).peekable();
        if listeners.peek().is_none() {
            return;
        }
        let body: Arc<[u8]> = View::new(self, account).updates(of, change).to_bytes().into();
        for listener in listeners {
            // A connection that does not keep up misses the push, sees the gap and asks for the difference.
            let _ = listener.outbox.try_send(Outgoing::Push(body.clone()));
        }
    }
}

fn stored(id: i32, chat: ChatKey, draft: &Draft, reply_to: Option<i32>, origin: Option<i64>, date: i32) -> Stored {
    Stored {
        id,
        chat,
        from: draft.from,
        date,
        edit_date: None,
        reply_to,
        topic: draft.topic,
        body: Body::Content(draft.content.clone()),
        origin,
    }
}
