//! Manifests and the other records on the server: whoever can write there can write anything.

use tgsignd::backup::digest::Sha256Digest;
use tgsignd::backup::keys::SigningKey;
use tgsignd::backup::manifest::{self, Epoch, Generation, Manifest, Nonce, ObjectName, Owner, Part, PartObject, Stem};

use super::edits;

/// Takes any bytes as a manifest, and as changes of a good one: no other bytes may carry its signature.
pub fn forge(data: &[u8]) {
    manifest::fuzz(data);
    let key = SigningKey::of_instance(&[7; 32]);
    let good = seed();
    let changed = edits::apply(&good, data);
    manifest::fuzz(&changed);
    match Manifest::parse(&Stem::default(), &changed) {
        Ok(read) => {
            assert!(read.signer != key.public() || changed == good, "other bytes carry the signature: {changed:?}");
        }
        Err(error) => assert!(changed != good, "a good manifest was refused: {error}"),
    }
}

/// What a fuzzer begins with.
pub fn seed() -> Vec<u8> {
    good().to_bytes(&SigningKey::of_instance(&[7; 32]))
}

fn good() -> Manifest {
    let sha256 = Sha256Digest::of(b"archive");
    let part = |part| {
        let name = ObjectName::of_part(Generation::FIRST, part, Owner::of("instance"), &sha256, Nonce([3; 6]));
        let (content, recipients) = (Sha256Digest::of(b"content"), Sha256Digest::of(b"recipients"));
        PartObject { object: name.to_text(&Stem::default()), size: 7, sha256, content, recipients }
    };
    Manifest {
        generation: Generation::FIRST,
        instance: "instance".to_owned(),
        epoch: Epoch { number: 3, nonce: Nonce([4; 6]) },
        previous: vec![],
        core: part(Part::Core),
        history: Some(part(Part::History)),
        writer: "tgsignd on a host".to_owned(),
        time: chrono::DateTime::UNIX_EPOCH,
    }
}
