//! The library of archives on disk: what is installed stays, what is refused leaves nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::zips;

use std::path::Path;

use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::block::{Catalog, NotFound};
use eeg_workflow_core::builtin::registry;
use eeg_workflow_core::module::{
    ArchiveError, ArchiveLimits, InstallError, LibraryError, ModuleLibrary, Owner, RemoveError,
    UserModules,
};

use zips::{Entry, HUNDRED, archive, file, module, zeros};

fn open(folder: &Path) -> ModuleLibrary {
    ModuleLibrary::open(folder, registry().unwrap(), ArchiveLimits::default()).unwrap()
}

fn owner(id: i64) -> Owner {
    Owner { id: OwnerId(id), email: format!("user{id}@lab.org") }
}

/// The modules that are not built in.
fn uploaded(view: &UserModules) -> Vec<&str> {
    view.modules()
        .filter(|entry| entry.archive.is_some())
        .map(|entry| entry.module.name())
        .collect()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_installed_module_is_listed_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    let installed = library.install(&owner(1), false, "Lab.zip", &module("Lab")).unwrap();
    assert_eq!((installed.blocks, &*installed.modules), (1, &["Lab.zip:Lab".to_owned()][..]));

    let view = library.view(OwnerId(1));
    assert_eq!(uploaded(&view), ["Lab.zip:Lab"]);
    let entry = view.module("Lab.zip:Lab").unwrap();
    assert_eq!((&*entry.owner, entry.public), ("user1@lab.org", false));
    assert_eq!(entry.digest.as_deref(), Some(&*installed.digest));
    assert_eq!(entry.archive.as_deref(), Some("Lab.zip"));
    assert_eq!(view.find("Lab.zip:Lab", "Hundred").unwrap().spec().name(), "Hundred");
    assert_eq!(view.find("Lab.zip:Lab", "Other").err(), Some(NotFound::BlockType));

    let other = library.view(OwnerId(2));
    assert!(uploaded(&other).is_empty());
    assert!(other.module("Lab.zip:Lab").is_none());
    assert_eq!(other.find("Lab.zip:Lab", "Hundred").err(), Some(NotFound::Module));
    assert!(other.find("Arithmetic.zip:Arithmetic", "Constant").is_ok());
}

#[test]
fn a_public_module_is_listed_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), true, "Lab.zip", &module("Lab")).unwrap();
    assert_eq!(uploaded(&library.view(OwnerId(2))), ["Lab.zip:Lab"]);
    assert!(library.view(OwnerId(2)).module("Lab.zip:Lab").unwrap().public);
}

#[test]
fn a_view_stays_as_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    let before = library.view(OwnerId(1));
    library.install(&owner(1), false, "Lab.zip", &module("Lab")).unwrap();
    let during = library.view(OwnerId(1));
    library.remove(&owner(1), "Lab.zip").unwrap();
    assert!(uploaded(&before).is_empty());
    assert_eq!(uploaded(&during), ["Lab.zip:Lab"]);
    assert!(during.find("Lab.zip:Lab", "Hundred").is_ok());
    assert!(uploaded(&library.view(OwnerId(1))).is_empty());
}

#[test]
fn archives_are_kept_as_they_were_uploaded_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = module("Lab");
    let library = open(folder.path());
    let installed = library.install(&owner(1), false, "Lab.zip", &bytes).unwrap();
    library.install(&owner(2), true, "Tools.zip", &module("Tools")).unwrap();
    drop(library);
    let stored = folder.path().join(format!("{}.zip", installed.digest));
    assert_eq!(std::fs::read(stored).unwrap(), bytes);

    let library = open(folder.path());
    assert!(library.problems().is_empty());
    assert_eq!(uploaded(&library.view(OwnerId(1))), ["Lab.zip:Lab", "Tools.zip:Tools"]);
    assert_eq!(uploaded(&library.view(OwnerId(2))), ["Tools.zip:Tools"]);
    assert!(library.view(OwnerId(1)).find("Lab.zip:Lab", "Hundred").is_ok());
}

#[test]
fn a_removed_archive_is_gone_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), true, "Lab.zip", &module("Lab")).unwrap();
    assert!(matches!(library.remove(&owner(2), "Lab.zip"), Err(RemoveError::NotFound(_))));
    assert!(matches!(library.remove(&owner(1), "Other.zip"), Err(RemoveError::NotFound(_))));
    library.remove(&owner(1), "Lab.zip").unwrap();
    assert_eq!(files(folder.path()), ["modules.json"]);
    assert!(uploaded(&open(folder.path()).view(OwnerId(1))).is_empty());
    // Its name is free again.
    library.install(&owner(2), false, "Lab.zip", &module("Lab")).unwrap();
}

#[test]
fn a_public_modules_name_is_taken_whoever_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), true, "Probe.zip", &module("Probe")).unwrap();
    let before = files(folder.path());
    let exists = |archive: &str, bytes: &[u8]| {
        let error = library.install(&owner(2), false, archive, bytes).unwrap_err();
        assert!(matches!(error, InstallError::ModuleExists { .. }), "{error}");
        error.to_string()
    };
    assert_eq!(
        exists("Probe.zip", &module("Probe")),
        "Module name 'Probe' in Probe.zip already exsists, pls change the name"
    );
    assert_eq!(
        exists("Arithmetic2.zip", &module("Arithmetic")),
        "Module name 'Arithmetic' in Arithmetic2.zip already exsists, pls change the name"
    );
    // A Python module of a taken name is told that first.
    exists("P.zip", &archive(&[file("Probe/__init__.py", b"")]));
    // All or nothing.
    let two = archive(&[
        file("New/module.json", HUNDRED.as_bytes()),
        file("Probe/module.json", HUNDRED.as_bytes()),
    ]);
    exists("Two.zip", &two);
    assert_eq!(files(folder.path()), before);
    assert_eq!(uploaded(&library.view(OwnerId(2))), ["Probe.zip:Probe"]);
}

#[test]
fn a_python_module_is_recognised_and_refused() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    let bytes = archive(&[
        file("Good/module.json", HUNDRED.as_bytes()),
        file("Snake/__init__.py", b"string_classobject_mapping = {}"),
    ]);
    let error = library.install(&owner(1), false, "Snake.zip", &bytes).unwrap_err();
    assert!(matches!(&error, InstallError::PythonUnavailable { module } if module == "Snake"));
    assert!(error.to_string().contains("written in Python, which is not run here"), "{error}");
    assert!(files(folder.path()).is_empty());
    assert!(uploaded(&library.view(OwnerId(1))).is_empty());
}

#[test]
fn nothing_of_a_bad_archive_remains() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    let good = file("Good/module.json", HUNDRED.as_bytes());
    for entry in [
        file("../evil/module.json", b"{}"),
        file("/evil/module.json", b"{}"),
        Entry { mode: 0o120_777, ..file("Good/link", b"/etc/passwd") },
        Entry { flags: 1, ..file("Good/secret", b"0123456789abcdef") },
        file("Good/MODULE.json", b"{}"),
        file("root.txt", b""),
        zeros("Good/bomb", 4),
        Entry { crc: 1, ..file("Good/x", b"x") },
    ] {
        let name = String::from_utf8(entry.name.clone()).unwrap();
        let bytes = archive(&[good.clone(), entry]);
        let error = library.install(&owner(1), false, "Lab.zip", &bytes).unwrap_err();
        assert!(matches!(error, InstallError::Archive(_)), "{name}: {error}");
    }
    let error = library.install(&owner(1), false, "../Lab.zip", &module("Lab")).unwrap_err();
    assert!(matches!(error, InstallError::Archive(ArchiveError::FileName(_))));
    let wrong = archive(&[good, file("Wrong/module.json", b"{\"format\": 1}")]);
    let error = library.install(&owner(1), false, "Lab.zip", &wrong).unwrap_err();
    assert!(matches!(error, InstallError::Manifest(_)), "{error}");
    assert!(files(folder.path()).is_empty());
    assert!(!folder.path().parent().unwrap().join("evil").exists());
    assert!(uploaded(&library.view(OwnerId(1))).is_empty());
}

#[test]
fn a_broken_archive_on_disk_costs_itself_only() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    let lab = library.install(&owner(1), false, "Lab.zip", &module("Lab")).unwrap();
    let gone = library.install(&owner(1), false, "Gone.zip", &module("Gone")).unwrap();
    library.install(&owner(1), false, "Tools.zip", &module("Tools")).unwrap();
    drop(library);
    let path = |digest: &str| folder.path().join(format!("{digest}.zip"));
    std::fs::write(path(&lab.digest), module("Evil")).unwrap();
    std::fs::remove_file(path(&gone.digest)).unwrap();

    let library = open(folder.path());
    assert_eq!(uploaded(&library.view(OwnerId(1))), ["Tools.zip:Tools"]);
    let problems: Vec<_> = library.problems().iter().map(|problem| &*problem.archive).collect();
    assert_eq!(problems, ["Lab.zip", "Gone.zip"]);
    // Their names stay theirs, and they can be removed.
    let error = library.install(&owner(1), false, "L.zip", &module("Lab")).unwrap_err();
    assert!(matches!(error, InstallError::ModuleExists { .. }));
    library.remove(&owner(1), "Lab.zip").unwrap();
    library.remove(&owner(1), "Gone.zip").unwrap();
    assert!(open(folder.path()).problems().is_empty());
}

#[test]
fn what_an_interrupted_installation_left_is_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), false, "Lab.zip", &module("Lab")).unwrap();
    drop(library);
    let before = files(folder.path());
    std::fs::write(folder.path().join(format!("{}.zip", "ab".repeat(32))), b"x").unwrap();
    std::fs::write(folder.path().join("modules.json.part"), b"{").unwrap();
    std::fs::write(folder.path().join("notes.txt"), b"mine").unwrap();
    open(folder.path());
    let after = files(folder.path());
    assert_eq!(after.len(), before.len() + 1);
    assert!(after.contains(&"notes.txt".to_owned()));
}

#[test]
fn an_index_that_cannot_be_read_is_an_error_and_stays_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("modules.json");
    let open = || ModuleLibrary::open(folder.path(), registry().unwrap(), ArchiveLimits::default());
    for (text, later) in [("{", false), ("{\"format\": 2, \"shelves\": []}", true)] {
        std::fs::write(&path, text).unwrap();
        let error = open().unwrap_err();
        assert_eq!(matches!(error, LibraryError::Format { found: 2, .. }), later, "{error}");
        assert_eq!(matches!(error, LibraryError::Index { .. }), !later, "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn many_can_install_and_look_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    std::thread::scope(|scope| {
        for i in 0..8 {
            let library = &library;
            scope.spawn(move || {
                let name = format!("M{i}");
                library.install(&owner(i), true, &format!("{name}.zip"), &module(&name)).unwrap();
                assert!(
                    library.view(OwnerId(i)).find(&format!("{name}.zip:{name}"), "Hundred").is_ok()
                );
            });
        }
    });
    assert_eq!(uploaded(&library.view(OwnerId(99))).len(), 8);
    assert_eq!(uploaded(&open(folder.path()).view(OwnerId(99))).len(), 8);
}
