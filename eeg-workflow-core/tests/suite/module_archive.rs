//! Archives of modules: every way in which one can be bad is refused, by name, without harm.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::zips;

use std::sync::LazyLock;

use eeg_workflow_core::module::{Archive, ArchiveError, ArchiveLimits, ModuleKind};
use proptest::prelude::*;

use zips::{Entry, HUNDRED, archive, file, module, zeros};

fn read(bytes: &[u8]) -> Result<Archive, ArchiveError> {
    Archive::read("Lab.zip", bytes, &ArchiveLimits::default())
}

/// The error of an archive that has a good module and these entries beside.
fn refused(entries: &[Entry]) -> ArchiveError {
    let good = [file("Good/module.json", HUNDRED.as_bytes())];
    read(&archive(&[&good[..], entries].concat())).unwrap_err()
}

#[test]
fn a_good_archive_gives_its_modules_and_their_files() {
    let bytes = archive(&[
        file("B/", b""),
        file("B/module.json", HUNDRED.as_bytes()),
        file("B/docs/read me.txt", b"hello"),
        file("A/__init__.py", b"pass"),
        file("A/helper.py", b""),
    ]);
    let read = read(&bytes).unwrap();
    assert_eq!(read.name, "Lab.zip");
    assert_eq!(read.digest.len(), 64);
    let found: Vec<_> = read.modules.iter().map(|module| (&*module.name, module.kind)).collect();
    assert_eq!(found, [("A", ModuleKind::Python), ("B", ModuleKind::Declarative)]);
    assert_eq!(read.modules[1].files["docs/read me.txt"], b"hello");
}

#[test]
fn the_digest_is_the_sha_256_of_the_bytes() {
    let bytes = archive(&[file("A/module.json", b"{}")]);
    assert_eq!(
        read(&bytes).unwrap().digest,
        "c6149088cbbb37ce829af72db47ed4efb310448b624bd7b01ec053da377b6d5e"
    );
}

#[test]
fn deflated_files_are_read() {
    let read = read(&archive(&[file("A/module.json", b"{}"), zeros("A/zeros", 1)])).unwrap();
    assert_eq!(read.modules[0].files["zeros"], vec![0; 1 << 20]);
}

#[test]
fn what_systems_leave_behind_is_ignored() {
    let bytes = archive(&[
        file("__MACOSX/A/._module.json", b"junk"),
        file("A/module.json", b"{}"),
        file("A/.DS_Store", b"junk"),
        file(".DS_Store", b"junk"),
        file("A/__pycache__/x.pyc", b"junk"),
    ]);
    let read = read(&bytes).unwrap();
    assert_eq!(read.modules.len(), 1);
    assert_eq!(read.modules[0].files.len(), 1);
}

#[test]
fn names_that_lead_outside_are_refused() {
    for name in [
        "../evil.txt",
        "A/../../evil",
        "A/..",
        "/etc/passwd",
        "//host/x",
        "C:/x",
        "C:evil",
        "A/b:stream",
        "..\\evil",
        "A\\b",
        "A/./b",
        "./A/b",
        "A//b",
        "A/b\0c",
        "A/b\nc",
        "A/b\u{7f}",
        "A/b.",
        "A/b ",
        "",
        "/",
    ] {
        let error = refused(&[file(name, b"x")]);
        assert!(matches!(error, ArchiveError::UnsafeName { .. }), "{name:?}: {error}");
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
}

#[test]
fn long_and_deep_names_are_refused() {
    let error = refused(&[file(&format!("A/{}", "n".repeat(300)), b"")]);
    assert!(matches!(error, ArchiveError::NameTooLong { limit: 240, .. }), "{error}");
    let error = refused(&[file(&format!("A/{}x", "d/".repeat(20)), b"")]);
    assert!(matches!(error, ArchiveError::TooDeep { limit: 12, .. }), "{error}");
}

#[test]
fn links_and_devices_are_refused() {
    for mode in [0o120_777, 0o020_666, 0o060_666, 0o010_666, 0o140_777] {
        let error = refused(&[Entry { mode, ..file("A/link", b"/etc/passwd") }]);
        assert!(matches!(&error, ArchiveError::SpecialFile(name) if name == "A/link"), "{error}");
    }
    // A folder that is said to be a file, and the other way round.
    let error = refused(&[Entry { mode: 0o100_644, ..file("A/b/", b"") }]);
    assert!(matches!(error, ArchiveError::SpecialFile(_)), "{error}");
    let error = refused(&[Entry { mode: 0o040_755, ..file("A/b", b"") }]);
    assert!(matches!(error, ArchiveError::SpecialFile(_)), "{error}");
}

#[test]
fn names_that_are_there_twice_or_collide_are_refused() {
    let error = refused(&[file("A/x", b"1"), file("A/x", b"2")]);
    assert!(matches!(&error, ArchiveError::Duplicate(name) if name == "A/x"), "{error}");
    for (first, second) in [("A/x", "A/X"), ("A/d/x", "A/D/y"), ("A/x", "A/x/y"), ("A/ä", "A/Ä")]
    {
        for pair in [[first, second], [second, first]] {
            let error = refused(&pair.map(|name| file(name, b"1")));
            let collide =
                matches!(error, ArchiveError::Collision { .. } | ArchiveError::Duplicate(_));
            assert!(collide, "{pair:?}: {error}");
        }
    }
    let error = refused(&[file("good/module.json", b"{}")]);
    assert!(matches!(error, ArchiveError::Collision { .. }), "{error}");
}

#[test]
fn encrypted_entries_are_refused() {
    let error = refused(&[Entry { flags: 1, ..file("A/secret", b"0123456789abcdef") }]);
    assert!(matches!(&error, ArchiveError::Encrypted(name) if name == "A/secret"), "{error}");
}

#[test]
fn other_compressions_are_refused() {
    for method in [1, 9, 12, 14, 93] {
        let error = refused(&[Entry { method, ..file("A/x", b"x") }]);
        assert!(matches!(error, ArchiveError::Compression { .. }), "{method}: {error}");
    }
}

#[test]
fn files_at_the_root_are_refused() {
    let error = refused(&[file("rootfile.py", b"")]);
    assert!(matches!(&error, ArchiveError::FileAtRoot(name) if name == "rootfile.py"), "{error}");
}

#[test]
fn a_folder_that_is_no_module_is_refused() {
    for entry in [file("Other/x.txt", b""), file("Other/", b"")] {
        let error = refused(&[entry]);
        assert!(matches!(&error, ArchiveError::NotAModule(name) if name == "Other"), "{error}");
    }
}

#[test]
fn sizes_are_counted_while_inflating() {
    let limits = ArchiveLimits {
        entry_bytes: 3 << 20,
        total_bytes: 5 << 20,
        ratio: 100_000,
        ..ArchiveLimits::default()
    };
    let read =
        |entries: &[Entry]| Archive::read("Lab.zip", &archive(entries), &limits).unwrap_err();
    let large = zeros("A/large", 4);
    let error = read(std::slice::from_ref(&large));
    assert!(matches!(error, ArchiveError::EntryTooLarge { .. }), "{error}");
    // The headers say that it is small.
    let error = read(&[Entry { size: 10, ..large }]);
    assert!(
        matches!(error, ArchiveError::EntryTooLarge { .. } | ArchiveError::Damaged { .. }),
        "{error}"
    );
    let error = read(&[zeros("A/1", 2), zeros("A/2", 2), zeros("A/3", 2)]);
    assert!(
        matches!(&error, ArchiveError::TotalTooLarge { entry, .. } if entry == "A/3"),
        "{error}"
    );
    let error = refused(&[zeros("A/bomb", 4)]);
    assert!(matches!(&error, ArchiveError::Ratio { entry, .. } if entry == "A/bomb"), "{error}");
}

#[test]
fn an_entry_that_is_not_what_its_headers_say_is_refused() {
    let whole = file("A/x", b"0123456789");
    for entry in [
        Entry { crc: 1, ..whole.clone() },
        Entry { size: 11, ..whole.clone() },
        Entry { size: 9, ..whole.clone() },
        Entry { method: 8, ..whole.clone() },
    ] {
        let error = refused(&[entry]);
        let damaged = matches!(error, ArchiveError::Damaged { .. } | ArchiveError::Inconsistent(_));
        assert!(damaged, "{error}");
    }
    let error = refused(&[Entry { local_name: Some(b"A/y".to_vec()), ..whole }]);
    assert!(matches!(error, ArchiveError::Inconsistent(_)), "{error}");
}

#[test]
fn entries_that_overlap_are_refused() {
    let mut bytes = archive(&[file("A/module.json", b"{}"), file("A/x", &[7; 90])]);
    // The second entry of the directory points to the first's data.
    let second = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    bytes[second + 42..second + 46].copy_from_slice(&0_u32.to_le_bytes());
    assert!(matches!(read(&bytes).unwrap_err(), ArchiveError::Inconsistent(_)));
}

#[test]
fn too_many_entries_are_refused() {
    let entries: Vec<_> = (0..2001).map(|i| file(&format!("A/{i}"), b"")).collect();
    assert!(matches!(refused(&entries), ArchiveError::TooManyEntries { limit: 2000 }));
    let entries: Vec<_> = (0..20_000).map(|i| file(&format!("A/{i}"), b"")).collect();
    assert!(matches!(refused(&entries), ArchiveError::TooManyEntries { limit: 2000 }));
}

#[test]
fn a_file_that_is_more_than_an_archive_is_refused() {
    let bytes = module("A");
    let front = [b"#!/bin/sh\n".as_slice(), &bytes].concat();
    assert!(matches!(read(&front).unwrap_err(), ArchiveError::ForeignData));
    let behind = [bytes.as_slice(), b"more"].concat();
    let error = read(&behind).unwrap_err();
    assert!(matches!(error, ArchiveError::ForeignData | ArchiveError::NotAZip(_)), "{error}");
}

#[test]
fn an_archive_that_is_slow_to_understand_is_refused_at_once() {
    // Many 64-bit directories, none of them good, with an end for each.
    let mut bytes = Vec::new();
    while bytes.len() < 4 << 20 {
        bytes.extend(b"PK\x06\x06\0\0\0\0\0\0\0\0PK\x06\x07");
        bytes.extend([0; 16]);
        bytes.extend(b"PK\x05\x06");
        bytes.extend([0xff; 16]);
        bytes.extend([0; 2]);
    }
    let start = std::time::Instant::now();
    assert!(matches!(read(&bytes).unwrap_err(), ArchiveError::ForeignData));
    assert!(start.elapsed().as_secs() < 10);
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [b"".as_slice(), b"not a zip", b"PK\x03\x04", b"PK\x05\x06"] {
        assert!(matches!(read(bytes).unwrap_err(), ArchiveError::NotAZip(_)));
    }
    let bytes = module("A");
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn an_archive_without_modules_is_refused() {
    assert!(matches!(read(&archive(&[])).unwrap_err(), ArchiveError::Empty));
    let junk = archive(&[file("__MACOSX/x", b"")]);
    assert!(matches!(read(&junk).unwrap_err(), ArchiveError::Empty));
}

#[test]
fn an_archive_that_is_too_large_is_refused_before_it_is_looked_at() {
    let limits = ArchiveLimits { archive_bytes: 100, ..ArchiveLimits::default() };
    let error = Archive::read("Lab.zip", &[0; 101], &limits).unwrap_err();
    assert!(matches!(error, ArchiveError::ArchiveTooLarge { bytes: 101, limit: 100 }));
}

#[test]
fn an_archive_has_a_plain_file_name() {
    let bytes = module("A");
    for name in [
        "",
        ".zip",
        "Lab",
        "Lab.ZIP",
        "a/Lab.zip",
        "..\\Lab.zip",
        "C:Lab.zip",
        "../Lab.zip",
        ".Lab.zip",
        "La\nb.zip",
        " Lab.zip",
        "Lab .zip",
        "La\0b.zip",
        "Lab.zip:A.zip",
    ] {
        let error = Archive::read(name, &bytes, &ArchiveLimits::default()).unwrap_err();
        assert!(matches!(error, ArchiveError::FileName(_)), "{name:?}");
    }
    for name in ["Lab.zip", "My lab (1).zip", "Labor-Übung.zip"] {
        assert!(Archive::read(name, &bytes, &ArchiveLimits::default()).is_ok(), "{name:?}");
    }
}

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    archive(&[
        file("A/module.json", HUNDRED.as_bytes()),
        file("A/deep/er/text.txt", &[b'a'; 1000]),
        Entry { mode: 0o100_644, ..file("B/module.json", b"{}") },
        zeros("B/zeros", 0),
    ])
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_damage_to_an_archive_is_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = GOOD.clone();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(archive) = read(&bytes) {
            for module in archive.modules {
                prop_assert!(!module.name.contains(['/', '\\', ':']) && module.name != "..");
                for path in module.files.keys() {
                    prop_assert!(!path.split('/').any(|part| matches!(part, "" | "." | "..")));
                }
            }
        }
    }
}

#[test]
fn a_second_end_record_is_refused_wherever_it_is() {
    let good = archive(&[file("A/module.json", b"{}")]);
    let end = good.len() - 22;
    // Behind the first.
    let behind = [&good[..], &good[end..]].concat();
    // In the comment of the first.
    let mut comment = behind.clone();
    comment[end + 20] = 22;
    // With a directory of its own in between.
    let directory = good.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let mut own = [&good[..], &good[directory..]].concat();
    let last = own.len() - 22;
    own[last + 16..last + 20].copy_from_slice(&u32::try_from(good.len()).unwrap().to_le_bytes());
    for bytes in [behind, comment, own] {
        let error = read(&bytes).unwrap_err();
        assert!(
            matches!(error, ArchiveError::TwoDirectories | ArchiveError::ForeignData),
            "{error}"
        );
    }
    // An archive inside an archive is just a file.
    read(&archive(&[file("A/module.json", b"{}"), file("A/data.zip", &good)])).unwrap();
}

#[test]
fn names_that_some_systems_take_for_one_are_refused() {
    for (first, second) in [
        ("Good/caf\u{e9}.txt", "Good/cafe\u{301}.txt"),
        ("Good/STRASSE", "Good/stra\u{df}e"),
        ("Good/\u{212b}", "Good/\u{e5}"),
        ("Good/\u{3a3}.txt", "Good/\u{3c2}.txt"),
    ] {
        let error = refused(&[file(first, b""), file(second, b"")]);
        assert!(matches!(error, ArchiveError::Collision { .. }), "{first} {second}: {error}");
    }
}

#[test]
fn requirements_are_plain_requirements() {
    let list = |text: &str| {
        let entries = [file("P/__init__.py", b""), file("P/requirements.txt", text.as_bytes())];
        read(&archive(&entries))
    };
    let fine = "\u{feff}# packages\r\nnumpy\r\nscipy >= 1.10, !=1.11.* ; python_version < \"3.13\"\n\n\
        mne[hdf5, data]~=1.6  # reading\nscikit-learn (>=1.4)\nzope.interface==5!1.0+local";
    list(fine).unwrap();
    for line in [
        "--index-url https://evil.example/simple",
        "-r other.txt",
        "-e .",
        "numpy --hash=sha256:00",
        "git+https://example.org/x.git",
        "pkg @ https://example.org/pkg.zip",
        "pkg@file:///etc",
        "./local",
        "../up",
        "/abs/pkg.whl",
        "pkg.whl",
        "C:\\pkg",
        "https://example.org/pkg.whl",
        "numpy \\",
        "${PACKAGE}",
        "numpy>=",
        "numpy 1.0",
        "numpy;",
        "num\rpy",
        "two words",
    ] {
        let error = list(&format!("numpy\n{line}\n")).unwrap_err();
        assert!(matches!(error, ArchiveError::Requirement { line: 2, .. }), "{line}: {error}");
    }
    assert_eq!(
        list("numpy\n-e .").unwrap_err().to_string(),
        "P/requirements.txt line 2: options are not allowed, only requirements such as \
         \"numpy>=1.26\": \"-e .\""
    );
}

#[test]
fn the_messages_of_refused_archives_stay() {
    let long = "x".repeat(250);
    let link = Entry { mode: 0o120_777, ..file("Good/link", b"/etc/passwd") };
    let secret = Entry { flags: 1, ..file("Good/secret", b"0123456789abcdef") };
    let packed = Entry { method: 12, ..file("Good/packed", b"x") };
    let messages = [
        file("../evil", b""),
        file("/evil", b""),
        file("Good/a\\b", b""),
        file("Good/c:d", b""),
        file("Good//e", b""),
        file("Good/f.", b""),
        file(&long, b""),
        link,
        secret,
        packed,
        file("Good/MODULE.json", b"{}"),
        file("root.txt", b""),
        file("Other/text.txt", b""),
        zeros("Good/bomb", 4),
        Entry { crc: 1, ..file("Good/x", b"x") },
    ]
    .map(|entry| refused(&[entry]).to_string());
    insta::assert_snapshot!(messages.join("\n"));
}
