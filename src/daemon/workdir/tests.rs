#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

fn files(workdir: &Path) -> BTreeMap<String, FileContent> {
    read(workdir, BTreeMap::new()).unwrap().files
}

fn text(text: &str) -> FileContent {
    FileContent::Bytes(text.into())
}

#[test]
fn two_levels_are_read_and_editors_leave_no_trace() {
    let workdir = tempfile::tempdir().unwrap();
    let root = workdir.path();
    for folder in ["sub", "sub/deeper", "..data", ".git"] {
        fs::create_dir(root.join(folder)).unwrap();
    }
    for name in [
        "tgsignd.toml",
        "sub/a.toml",
        "sub/deeper/no.toml",
        "..data/no.toml",
        ".git/no.toml",
        ".tgsignd.toml.swp",
        ".#x.toml",
        "#x.toml#",
        "x.toml~",
        "x.toml.tmp",
        "4913",
        "notes.txt",
        ".hidden.toml",
        "sub/.hidden.toml",
    ] {
        fs::write(root.join(name), name).unwrap();
    }
    let found = files(root);
    let expected = [("sub/a.toml", text("sub/a.toml")), ("tgsignd.toml", text("tgsignd.toml"))];
    assert_eq!(found, expected.map(|(name, content)| (name.to_owned(), content)).into());
}

#[test]
fn an_edit_is_seen_whatever_the_times_say_and_what_stayed_is_not_read() {
    let workdir = tempfile::tempdir().unwrap();
    let path = workdir.path().join("a.toml");
    let long_ago = SystemTime::now() - COARSEST_STEP * 100;
    let write = |text: &str| {
        fs::write(&path, text).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    };
    let mut reader = Reader::default();
    let mut read = |reread| reader.read(workdir.path(), BTreeMap::new(), &reread).unwrap().files["a.toml"].clone();
    // Same size and modification time, and shortly after each other.
    for text in ["one", "two", "six"] {
        write(text);
        assert_eq!(read(Reread::Changed), super::tests::text(text));
    }
}

#[test]
fn a_settled_file_is_read_again_when_its_signature_differs_or_everything_is() {
    let workdir = tempfile::tempdir().unwrap();
    let path = workdir.path().join("a.toml");
    fs::write(&path, "one").unwrap();
    let signature = Signature::from(&fs::metadata(&path).unwrap());
    let other = Signature { changed: (signature.changed.0, signature.changed.1 + 1), ..signature };
    let remembered = |signature| {
        let files = BTreeMap::from([("a.toml".to_owned(), text("remembered"))]);
        let before = Arc::new(Sources { files, environment: BTreeMap::new() });
        Reader {
            before,
            signatures: [("a.toml".to_owned(), signature)].into(),
            folders: BTreeSet::new(),
            is_plain: false,
        }
    };
    for (signature, reread, expected) in [
        (signature, Reread::Changed, "remembered"),
        (signature, Reread::Everything, "one"),
        (other, Reread::Changed, "one"),
    ] {
        let read = remembered(signature).read(workdir.path(), BTreeMap::new(), &reread).unwrap();
        assert_eq!(read.files["a.toml"], text(expected), "{reread:?}");
    }
}

#[test]
fn links_are_followed_as_a_config_map_needs_it() {
    let workdir = tempfile::tempdir().unwrap();
    let root = workdir.path();
    fs::create_dir_all(root.join("..2026_11_22/sub")).unwrap();
    fs::write(root.join("..2026_11_22/tgsignd.toml"), "one").unwrap();
    fs::write(root.join("..2026_11_22/sub/a.toml"), "two").unwrap();
    symlink("..2026_11_22", root.join("..data")).unwrap();
    symlink("..data/tgsignd.toml", root.join("tgsignd.toml")).unwrap();
    symlink("..data/sub", root.join("sub")).unwrap();
    symlink("nowhere", root.join("gone.toml")).unwrap();
    symlink("loop.toml", root.join("loop.toml")).unwrap();
    let found = files(root);
    assert_eq!(found["tgsignd.toml"], text("one"));
    assert_eq!(found["sub/a.toml"], text("two"));
    assert!(matches!(&found["gone.toml"], FileContent::Unreadable(why) if why.contains("link")), "{found:?}");
    assert!(matches!(&found["loop.toml"], FileContent::Unreadable(_)), "{found:?}");
    assert_eq!(found.len(), 4);
}

#[test]
fn what_is_no_plain_file_is_named_and_never_opened() {
    let workdir = tempfile::tempdir().unwrap();
    let root = workdir.path();
    rustix::fs::mknodat(rustix::fs::CWD, root.join("fifo.toml"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    fs::create_dir_all(root.join("sub/folder.toml")).unwrap();
    symlink("/dev/zero", root.join("zero.toml")).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"bad-\xff.toml")), "x").unwrap();
    fs::write(root.join("largest.toml"), vec![b'#'; usize::try_from(LARGEST_FILE).unwrap()]).unwrap();
    fs::write(root.join("larger.toml"), vec![b'#'; usize::try_from(LARGEST_FILE).unwrap() + 1]).unwrap();
    let found = files(root);
    assert_eq!(found["fifo.toml"], FileContent::Irregular);
    assert_eq!(found["sub/folder.toml"], FileContent::Irregular);
    assert_eq!(found["zero.toml"], FileContent::Irregular);
    assert!(matches!(&found["bad-\u{fffd}.toml"], FileContent::Unreadable(why) if why.contains("UTF-8")));
    assert!(matches!(&found["larger.toml"], FileContent::Unreadable(why) if why.contains("1 MiB")));
    assert!(matches!(&found["largest.toml"], FileContent::Bytes(_)));
}

#[test]
fn a_workdir_that_is_not_there_is_told_apart_from_an_empty_one() {
    let workdir = tempfile::tempdir().unwrap();
    assert!(files(workdir.path()).is_empty());
    let missing = read(&workdir.path().join("x"), BTreeMap::new()).unwrap_err();
    assert!(matches!(missing, WorkdirError::Missing(_)), "{missing}");
    fs::write(workdir.path().join("file"), "").unwrap();
    let file = read(&workdir.path().join("file"), BTreeMap::new()).unwrap_err();
    assert!(matches!(file, WorkdirError::NotADirectory(_)), "{file}");
}

#[test]
fn files_that_are_swapped_together_are_read_together() {
    const SWAPS: u32 = 2000;
    let workdir = tempfile::tempdir().unwrap();
    let root = workdir.path().to_owned();
    for name in ["a.toml", "b.toml", "c.toml"] {
        symlink(Path::new("..data").join(name), root.join(name)).unwrap();
    }
    let swap = move |number: u32| {
        let new = root.join(format!("..{number}"));
        fs::create_dir(&new).unwrap();
        for name in ["a.toml", "b.toml", "c.toml"] {
            fs::write(new.join(name), number.to_string()).unwrap();
        }
        symlink(&new, root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        if let Some(old) = number.checked_sub(1) {
            fs::remove_dir_all(root.join(format!("..{old}"))).unwrap();
        }
    };
    swap(0);
    let writer = std::thread::spawn(move || (1..=SWAPS).for_each(swap));
    let mut reader = Reader::default();
    let mut seen = 0;
    let mut read = || match reader.read(workdir.path(), BTreeMap::new(), &Reread::Changed) {
        Ok(sources) => {
            let contents: Vec<&FileContent> = sources.files.values().collect();
            assert!(contents.windows(2).all(|pair| pair[0] == pair[1]), "after {seen} readings: {:?}", sources.files);
            seen += 1;
        }
        Err(error) => assert!(matches!(error, WorkdirError::Restless(_)), "{error}"),
    };
    while !writer.is_finished() {
        read();
    }
    writer.join().unwrap();
    read();
    assert!(seen > 0);
    assert_eq!(reader.before.files["c.toml"], text(&SWAPS.to_string()));
}
