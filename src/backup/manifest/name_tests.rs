#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use proptest::prelude::*;

use super::*;

pub(crate) fn any_name() -> impl Strategy<Value = ObjectName> {
    let generation = (1..=Generation::LAST).prop_map(|number| Generation::try_from(number).unwrap());
    let nonce = any::<[u8; 6]>().prop_map(Nonce);
    let epoch = (any::<u32>(), nonce.clone()).prop_map(|(number, nonce)| Epoch { number, nonce });
    prop_oneof![
        (generation.clone(), any::<(bool, [u8; 4], [u8; 16])>(), nonce.clone()).prop_map(
            |(generation, (core, owner, sha256_half), nonce)| ObjectName::Part {
                generation,
                part: if core { Part::Core } else { Part::History },
                owner: Owner(owner),
                sha256_half,
                nonce,
            }
        ),
        (generation, any::<[u8; 32]>(), nonce.clone()).prop_map(|(generation, sha256, nonce)| {
            ObjectName::Manifest { generation, sha256: Sha256Digest::from_bytes(sha256), nonce }
        }),
        epoch.clone().prop_map(ObjectName::Takeover),
        epoch.prop_map(ObjectName::Release),
        (any::<bool>(), nonce.clone()).prop_map(|(session, nonce)| ObjectName::Inbox {
            kind: if session { InboxKind::Session } else { InboxKind::Workdir },
            nonce
        }),
        nonce.prop_map(|nonce| ObjectName::Answer { nonce }),
    ]
}

fn any_stem() -> impl Strategy<Value = Stem> {
    "[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?".prop_map(|text| text.parse().unwrap())
}

proptest! {
    #[test]
    fn names_are_read_as_they_are_written(name in any_name(), stem in any_stem()) {
        let text = name.to_text(&stem);
        prop_assert_eq!(ObjectName::parse(&stem, &text), Some(name));
        prop_assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b)));
        prop_assert!(text.len() <= 200 && !text.starts_with('.'));
        prop_assert!([".gz", ".zip", ".db"].iter().all(|ending| !text.ends_with(ending)));
    }

    #[test]
    fn one_name_has_one_text(text in "tgsignd-[bmtria]-[0-9a-fA-F-]{0,90}(core|history|session)?[0-9a-f-]{0,60}\\.(age|json)") {
        let stem = Stem::default();
        if let Some(name) = ObjectName::parse(&stem, &text) {
            prop_assert_eq!(name.to_text(&stem), text);
        }
    }

    #[test]
    fn any_file_name_makes_a_stem(name in any::<String>()) {
        let stem = Stem::from_file_name(&name);
        prop_assert_eq!(stem.to_string().parse(), Ok(stem));
    }
}

#[test]
fn stems_come_from_paths() {
    for (name, stem) in
        [("backup.tar.gz", "backup"), ("My State.db.age", "my-state"), ("...", "tgsignd"), ("签到", "tgsignd")]
    {
        assert_eq!(Stem::from_file_name(name).to_string(), stem);
    }
}

#[test]
fn what_is_not_ours_has_no_meaning() {
    let stem: Stem = "a-m".parse().unwrap();
    let name = ObjectName::Answer { nonce: Nonce([1; 6]) };
    for other in ["a", "a-m-m", "b"] {
        assert_eq!(ObjectName::parse(&stem, &name.to_text(&other.parse().unwrap())), None, "{other}");
    }
    for foreign in
        ["", "a-m-", "a-m-x-1", "a-m-a-010101010101.JSON", "a-m-t-1-010101010101.json", ".a-m-a-010101010101.json"]
    {
        assert_eq!(ObjectName::parse(&stem, foreign), None, "{foreign}");
    }
}

#[test]
fn later_boots_are_higher() {
    let epoch = |number, byte| Epoch { number, nonce: Nonce([byte; 6]) };
    assert!(epoch(2, 0) > epoch(1, 9) && epoch(2, 2) > epoch(2, 1));
}
