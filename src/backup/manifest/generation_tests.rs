#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine;
use proptest::prelude::*;

use super::*;
use crate::backup::manifest::{Nonce, Owner, Release, Takeover};

fn key() -> SigningKey {
    SigningKey::of_instance(&[7; 32])
}

fn part(generation: Generation, part: Part, size: u64) -> PartObject {
    let sha256 = Sha256Digest::of(&size.to_be_bytes());
    let name = ObjectName::of_part(generation, part, Owner::of("instance"), &sha256, Nonce([3; 6]));
    let (content, recipients) = (Sha256Digest::of(b"content"), Sha256Digest::of(b"recipients"));
    PartObject { object: name.to_text(&Stem::default()), size, sha256, content, recipients }
}

fn manifest() -> Manifest {
    let second = Generation::FIRST.next().unwrap();
    let previous = ObjectName::of_manifest(Generation::FIRST, b"previous", Nonce([2; 6]));
    Manifest {
        generation: second,
        instance: "instance".to_owned(),
        epoch: Epoch { number: 3, nonce: Nonce([4; 6]) },
        previous: vec![previous.to_text(&Stem::default())],
        core: part(second, Part::Core, 1000),
        history: Some(part(Generation::FIRST, Part::History, 2000)),
        writer: "tgsignd 0.1.0 on host".to_owned(),
        time: DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
    }
}

fn parse(bytes: &[u8]) -> Result<Signed<Manifest>, EnvelopeError> {
    Manifest::parse(&Stem::default(), bytes)
}

#[test]
fn a_manifest_is_read_as_it_was_signed() {
    let bytes = manifest().to_bytes(&key());
    assert_eq!(parse(&bytes), Ok(Signed { content: manifest(), signer: key().public() }));
    assert!(bytes.len() < LARGEST_MANIFEST / 8, "{} bytes", bytes.len());
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        text.starts_with(r#"{"version":1,"generation":2,"instance":"instance","epoch":"0000000003-040404040404""#),
        "{text}"
    );
}

#[test]
fn a_later_version_is_told_plainly() {
    let payload = br#"{"version":2,"anything":[]}"#;
    let signature = key().sign(&[b"tgsignd manifest\n", &payload[..]].concat());
    let signature = base64::prelude::BASE64_STANDARD_NO_PAD.encode(signature);
    let text = format!(
        r#"{}{}{{"key":"{}","signature":"{signature}"}}{}"#,
        String::from_utf8_lossy(payload),
        '\n',
        key().public(),
        '\n'
    );
    let error = parse(text.as_bytes()).unwrap_err();
    assert_eq!(error, EnvelopeError::Version { found: 2 });
    assert!(error.to_string().contains("use the newer tgsignd"), "{error}");
}

#[test]
fn a_signature_holds_for_its_kind_only() {
    let epoch = Epoch { number: 1, nonce: Nonce([0; 6]) };
    let time = DateTime::from_timestamp(0, 0).unwrap();
    let release = Release { instance: "i".to_owned(), epoch, last: None, time }.to_bytes(&key());
    assert_eq!(Release::parse(&release).unwrap().signer, key().public());
    assert_eq!(Takeover::parse(&release), Err(EnvelopeError::BadSignature));
    assert_eq!(parse(&release), Err(EnvelopeError::BadSignature));
}

#[test]
fn what_is_signed_and_impossible_is_refused() {
    let wrong = |change: fn(&mut Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        parse(&manifest.to_bytes(&key())).unwrap_err()
    };
    let changes: [fn(&mut Manifest); 9] = [
        |m| m.writer = "x".repeat(201),
        |m| m.instance = "a\nb".to_owned(),
        |m| m.core.size = 0,
        |m| m.core.object = "../../etc/passwd".to_owned(),
        |m| m.core.sha256 = Sha256Digest::of(b"another"),
        |m| m.history = Some(part(Generation::FIRST, Part::Core, 5)),
        |m| m.core = part(m.generation.next().unwrap(), Part::Core, 5),
        |m| m.previous = vec![m.previous[0].clone(); 9],
        |m| m.generation = Generation::FIRST,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert!(matches!(wrong(change), EnvelopeError::Malformed(_)), "{number}");
    }
}

#[test]
fn another_stem_is_another_backup() {
    let bytes = manifest().to_bytes(&key());
    assert!(Manifest::parse(&"other".parse().unwrap(), &bytes).is_err());
}

proptest! {
    #[test]
    fn no_changed_byte_goes_unseen(position in any::<prop::sample::Index>(), change in 1_u8.., cut in any::<prop::sample::Index>()) {
        let good = manifest().to_bytes(&key());
        let mut changed = good.clone();
        let at = position.index(good.len());
        changed[at] ^= change;
        prop_assert!(parse(&changed).is_err());
        prop_assert!(parse(&good[..cut.index(good.len())]).is_err());
        crate::backup::manifest::fuzz(&changed);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        crate::backup::manifest::fuzz(&bytes);
    }
}
