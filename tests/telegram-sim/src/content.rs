//! What a message shows: text, a picture or a die, and buttons.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use thiserror::Error;

use crate::crypto::sha256;

/// What a message shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The text, or the caption of the picture.
    pub text: String,
    /// A picture or a die.
    pub media: Option<Media>,
    /// Buttons below the message or instead of the keyboard.
    pub markup: Option<Markup>,
    /// Messages with the same name here are shown as one album.
    pub album: Option<String>,
    /// Signed by the group itself: sent by an administrator who stays anonymous.
    pub anonymous: bool,
    /// Forwarded from somewhere else.
    pub forwarded: bool,
}

/// What is attached to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// A picture.
    Photo(Arc<Photo>),
    /// A file.
    Document(Arc<Document>),
    /// A poll; the text of the message is its question.
    Poll(Poll),
    /// An animated emoji with a random value.
    Dice {
        /// For example 🎲.
        emoji: String,
        /// What it shows, from 1.
        value: i32,
    },
}

/// A file.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    name: String,
    mime_type: String,
    bytes: Vec<u8>,
    id: i64,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({}, {}, {} bytes)", self.name, self.mime_type, self.bytes.len())
    }
}

impl Document {
    /// A file with its name and kind, for example `image/png`.
    #[must_use]
    pub fn new(name: impl Into<String>, mime_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self { name: name.into(), mime_type: mime_type.into(), id: identifier(&bytes), bytes }
    }

    /// The name it is shown under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    #[must_use]
    pub fn mime_type(&self) -> &str {
        &self.mime_type
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Telegram's identifier of the file.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }
}

/// The same bytes have the same identifier, so sending them a thousand times keeps them once.
fn identifier(bytes: &[u8]) -> i64 {
    let mut id = [0; 8];
    id.copy_from_slice(&sha256(&[bytes])[..8]);
    i64::from_le_bytes(id) & i64::MAX
}

/// A poll with one vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// What can be chosen; the data of an answer is its number from 0, in decimal.
    pub answers: Vec<String>,
    /// Nobody can vote any more.
    pub closed: bool,
}

impl Poll {
    /// The number of the answer with this data.
    pub(crate) fn answer(&self, option: &[u8]) -> Option<&str> {
        let index: usize = std::str::from_utf8(option).ok()?.parse().ok()?;
        self.answers.get(index).map(String::as_str)
    }
}

/// Buttons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Rows of buttons below the message.
    Inline(Vec<Vec<Button>>),
    /// Rows of texts that replace the keyboard; pressing one sends it.
    Keyboard(Vec<Vec<String>>),
    /// Takes the replaced keyboard away.
    RemoveKeyboard,
}

/// A button below a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What it shows.
    pub text: String,
    /// What it does.
    pub action: ButtonAction,
}

/// What a button does when it is pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ButtonAction {
    /// Sends this data to the bot.
    Callback(Vec<u8>),
    /// Opens an address.
    Url(String),
    /// Opens an address, and offers to tell it who does.
    Login {
        /// The address.
        url: String,
        /// The number of the button.
        id: i32,
    },
    /// Opens a mini app.
    MiniApp(String),
}

impl Content {
    /// Plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// With a picture.
    #[must_use]
    pub fn photo(mut self, photo: impl Into<Arc<Photo>>) -> Self {
        self.media = Some(Media::Photo(photo.into()));
        self
    }

    /// With one more row of inline buttons, each a text and its callback data.
    #[must_use]
    pub fn buttons(mut self, row: &[(&str, &str)]) -> Self {
        let row = row.iter().map(|(text, data)| Button::callback(*text, *data)).collect();
        match &mut self.markup {
            Some(Markup::Inline(rows)) => rows.push(row),
            other => *other = Some(Markup::Inline(vec![row])),
        }
        self
    }

    /// With one more row of the replaced keyboard.
    #[must_use]
    pub fn keyboard(mut self, row: &[&str]) -> Self {
        let row = row.iter().map(|text| (*text).to_owned()).collect();
        match &mut self.markup {
            Some(Markup::Keyboard(rows)) => rows.push(row),
            other => *other = Some(Markup::Keyboard(vec![row])),
        }
        self
    }

    /// The inline button that offers a login under this number, with its address.
    pub(crate) fn login_button(&self, id: i32) -> Option<&str> {
        let Some(Markup::Inline(rows)) = &self.markup else { return None };
        rows.iter().flatten().find_map(|button| match &button.action {
            ButtonAction::Login { url, id: own } if *own == id => Some(url.as_str()),
            _ => None,
        })
    }

    /// The inline button with this callback data.
    pub(crate) fn callback_button(&self, data: &[u8]) -> Option<&Button> {
        let Some(Markup::Inline(rows)) = &self.markup else {
            return None;
        };
        rows.iter().flatten().find(|button| matches!(&button.action, ButtonAction::Callback(own) if own == data))
    }
}

impl Button {
    /// A button that sends data to its bot.
    #[must_use]
    pub fn callback(text: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), action: ButtonAction::Callback(data.into()) }
    }

    /// A button that opens an address.
    #[must_use]
    pub fn url(text: impl Into<String>, url: impl Into<String>) -> Self {
        Self { text: text.into(), action: ButtonAction::Url(url.into()) }
    }
}

/// A picture: PNG or JPEG.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo {
    bytes: Vec<u8>,
    width: i32,
    height: i32,
    id: i64,
}

/// A picture that cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PhotoError {
    /// Neither a PNG nor a JPEG header with a size was found.
    #[error("this is neither a PNG nor a JPEG picture")]
    Format,
    /// Telegram takes pictures of at most 10 MiB.
    #[error("the picture is larger than 10 MiB")]
    TooLarge,
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Photo({}x{}, {} bytes)", self.width, self.height, self.bytes.len())
    }
}

impl Photo {
    /// Takes a PNG or JPEG file.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Self, PhotoError> {
        let bytes = bytes.into();
        if bytes.len() > 10 * 1024 * 1024 {
            return Err(PhotoError::TooLarge);
        }
        let (width, height) = png_size(&bytes).or_else(|| jpeg_size(&bytes)).ok_or(PhotoError::Format)?;
        Ok(Self::new(bytes, width, height))
    }

    /// A square PNG of one colour, given as red, green and blue.
    #[must_use]
    pub fn solid(colour: [u8; 3], side: u16) -> Self {
        let side = side.max(1);
        let mut row = vec![0];
        row.extend(colour.iter().copied().cycle().take(usize::from(side) * 3));
        let mut header = Vec::new();
        header.extend(u32::from(side).to_be_bytes());
        header.extend(u32::from(side).to_be_bytes());
        // Eight bits per channel, true colour, the only compression and filter methods, not interlaced.
        header.extend([8, 2, 0, 0, 0]);
        let mut png = PNG_SIGNATURE.to_vec();
        png_chunk(&mut png, *b"IHDR", &header);
        png_chunk(&mut png, *b"IDAT", &zlib(&row.repeat(usize::from(side))));
        png_chunk(&mut png, *b"IEND", &[]);
        Self::new(png, i32::from(side), i32::from(side))
    }

    fn new(bytes: Vec<u8>, width: i32, height: i32) -> Self {
        Self { id: identifier(&bytes), bytes, width, height }
    }

    /// The file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Width and height in pixels.
    #[must_use]
    pub fn size(&self) -> (i32, i32) {
        (self.width, self.height)
    }

    /// Telegram's identifier of the picture.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.id
    }

    pub(crate) fn is_png(&self) -> bool {
        self.bytes.starts_with(&PNG_SIGNATURE)
    }
}

const PNG_SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

fn png_chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let start = png.len();
    png.extend(kind);
    png.extend(data);
    let checksum = crc32fast::hash(&png[start..]);
    png.extend(checksum.to_be_bytes());
}

#[expect(clippy::expect_used, reason = "writing to memory cannot fail")]
fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn png_size(bytes: &[u8]) -> Option<(i32, i32)> {
    let header = bytes.strip_prefix(&PNG_SIGNATURE)?.get(4..16)?.strip_prefix(b"IHDR")?;
    let side = |at: usize| i32::try_from(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?)).ok();
    Some((side(0)?, side(4)?))
}

/// Reads the frame header of a JPEG: any SOF marker but the tables C4, C8 and CC (ITU T.81, table B.1).
fn jpeg_size(bytes: &[u8]) -> Option<(i32, i32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let (&[0xff, marker, high, low], _) = rest.split_first_chunk::<4>()? else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let side = |at: usize| Some(i32::from(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?)));
            return Some((side(7)?, side(5)?));
        }
        rest = rest.get(2 + length..)?;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_picture_is_a_picture() {
        let drawn = Photo::solid([200, 0, 0], 64);
        let read = Photo::from_bytes(drawn.bytes()).unwrap();
        assert_eq!(read.size(), (64, 64));
        assert_eq!(read, drawn);
        assert_ne!(drawn.id(), Photo::solid([0, 200, 0], 64).id());
    }

    #[test]
    fn jpeg_sizes_are_read_after_other_segments() {
        let jpeg = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x20\x00\x40\x01\x01\x11\x00";
        assert_eq!(Photo::from_bytes(jpeg.as_slice()).unwrap().size(), (64, 32));
    }

    #[test]
    fn other_files_are_refused() {
        for bytes in [&b""[..], b"GIF89a", b"\xff\xd8", b"\xff\xd8\xff\xe0\xff\xff", b"\x89PNG\r\n\x1a\n"] {
            assert_eq!(Photo::from_bytes(bytes), Err(PhotoError::Format));
        }
    }

    #[test]
    fn rows_of_buttons_add_up() {
        let content = Content::text("?").buttons(&[("a", "1"), ("b", "2")]).buttons(&[("c", "3")]);
        assert_eq!(content.callback_button(b"3").map(|button| button.text.as_str()), Some("c"));
        assert_eq!(content.callback_button(b"4"), None);
    }
}
