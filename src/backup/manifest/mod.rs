//! PURE: what lies on the server: names of objects, the signed manifest of a generation, takeover and release records.
//!
//! | file | what it owns |
//! |---|---|
//! | `name` | [`ObjectName`]: every name is unique and says what the object is |
//! | `envelope` | signed JSON, of which one exact sequence of bytes is valid |
//! | `generation` | [`Manifest`]: the commit point of a generation |
//! | `letter` | [`Letter`] and [`LetterAnswer`]: the inbox |
//! | `record` | [`Takeover`] and [`Release`]: who owns the sessions |

mod envelope;
mod generation;
mod letter;
mod name;
mod record;

pub use envelope::{EnvelopeError, Kind, Signed};
pub use generation::{LARGEST_MANIFEST, MOST_PREVIOUS, Manifest, PartObject};
pub use letter::{LARGEST_ANSWER, LARGEST_LETTER, Letter, LetterAnswer, LetterContent};
pub use name::{Epoch, Generation, InboxKind, NameError, Nonce, ObjectName, Owner, Part, Stem};
pub use record::{Release, Takeover};

/// Takes any bytes as a manifest and does nothing with it: the target of a fuzzer.
///
/// # Panics
/// When something is accepted that no backup writes.
pub fn fuzz(bytes: &[u8]) {
    if let Ok(signed) = Manifest::parse(&Stem::default(), bytes) {
        assert!(signed.content.generation.number() > 0, "a manifest of no generation was accepted");
    }
    let _ = Takeover::parse(bytes);
    let _ = Release::parse(bytes);
}
