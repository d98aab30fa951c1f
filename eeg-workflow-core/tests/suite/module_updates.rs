//! Archives that depend on each other: loaded, installed, replaced and removed in any order; and
//! whose names are whose.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::zips;

use std::path::Path;

use eeg_workflow_core::block::{Catalog, OwnerId};
use eeg_workflow_core::builtin::registry;
use eeg_workflow_core::module::{
    ArchiveLimits, Dependent, InstallError, ModuleLibrary, ModuleVersion, NewArchive, Owner,
};
use eeg_workflow_core::workflow::Workflow;
use serde_json::{Value as Json, json};

use zips::module;

fn open(folder: &Path) -> ModuleLibrary {
    ModuleLibrary::open(folder, registry().unwrap(), ArchiveLimits::default()).unwrap()
}

fn owner(id: i64) -> Owner {
    Owner { id: OwnerId(id), email: format!("user{id}@lab.org") }
}

/// An archive of a module with presets: their names, and the modules and types of their targets.
fn presets(name: &str, blocks: &[(&str, &str, &str)]) -> Vec<u8> {
    let block = |(name, module, target): &(&str, &str, &str)| json!({"name": name, "preset": {"module": module, "type": target}});
    let blocks: Vec<Json> = blocks.iter().map(block).collect();
    let manifest = json!({"format": 1, "blocks": blocks}).to_string();
    zips::archive(&[zips::file(&format!("{name}/module.json"), manifest.as_bytes())])
}

fn base(block: &str) -> Vec<u8> {
    presets("Base", &[(block, "Arithmetic.zip:Arithmetic", "Constant")])
}

fn over() -> Vec<u8> {
    presets("Over", &[("H2", "Base.zip:Base", "Hundred")])
}

fn works(library: &ModuleLibrary, user: i64, module: &str, block: &str) -> bool {
    library.view(OwnerId(user)).find(module, block).is_ok()
}

fn known(archive: &str) -> Dependent {
    Dependent::Known { archive: archive.into(), owner: "user1@lab.org".into() }
}

#[test]
fn an_archive_is_loaded_after_those_that_it_depends_on() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), false, "Base.zip", &base("Hundred")).unwrap();
    library.install(&owner(1), false, "Over.zip", &over()).unwrap();
    assert_eq!(library.dependents(&owner(1), "Base.zip"), [known("Over.zip")]);
    library.remove(&owner(1), "Base.zip").unwrap();
    library.install(&owner(1), false, "Base.zip", &base("Hundred")).unwrap();
    drop(library);
    let library = open(folder.path());
    assert!(library.problems().is_empty(), "{:?}", library.problems());
    assert!(works(&library, 1, "Over.zip:Over", "H2"));
}

#[test]
fn an_archive_that_lost_another_works_again_when_that_is_installed_again() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), false, "Base.zip", &base("Hundred")).unwrap();
    library.install(&owner(1), false, "Over.zip", &over()).unwrap();
    library.remove(&owner(1), "Base.zip").unwrap();
    drop(library);
    let library = open(folder.path());
    assert_eq!(library.problems().len(), 1);
    assert!(!works(&library, 1, "Over.zip:Over", "H2"));
    let installed = library.install(&owner(1), false, "Base.zip", &base("Hundred")).unwrap();
    assert_eq!(installed.dependents, [known("Over.zip")]);
    assert!(works(&library, 1, "Over.zip:Over", "H2"));
}

#[test]
fn several_archives_are_installed_in_whichever_order_they_are_named() {
    let (base, over) = (base("Hundred"), over());
    let archives = [
        NewArchive { name: "Over.zip", bytes: &over },
        NewArchive { name: "Base.zip", bytes: &base },
    ];
    for order in [[0, 1], [1, 0]] {
        let folder = tempfile::tempdir().unwrap();
        let library = open(folder.path());
        let ordered = order.map(|i: usize| archives[i]);
        let installed = library.install_all(&owner(0), false, &ordered).unwrap();
        let names: Vec<_> = installed.iter().map(|one| &*one.modules[0]).collect();
        assert_eq!(names, order.map(|i| ["Over.zip:Over", "Base.zip:Base"][i]));
        assert!(works(&library, 0, "Over.zip:Over", "H2"));
    }
    // The one that is wrong is named by its position.
    let folder = tempfile::tempdir().unwrap();
    let wrong = [archives[1], NewArchive { name: "Other.zip", bytes: b"no zip" }];
    let (position, error) = open(folder.path()).install_all(&owner(0), false, &wrong).unwrap_err();
    assert!(position == 1 && matches!(error, InstallError::Archive(_)), "{position}: {error}");
}

#[test]
fn two_archives_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), false, "Lab.zip", &module("A")).unwrap();
    let error = library.install(&owner(1), false, "Lab.zip", &module("B")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "archive \"Lab.zip\" is already installed: replace it, or remove it first"
    );
    library.install(&owner(2), false, "Lab.zip", &module("B")).unwrap();
}

#[test]
fn a_replaced_archive_is_used_at_once_by_those_that_depend_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    let first = library.install(&owner(1), true, "Base.zip", &base("Hundred")).unwrap();
    library.install(&owner(1), false, "Over.zip", &over()).unwrap();
    let document =
        json!({"blocks": [{"id": 1, "type": "H2", "module": "Over.zip:Over"}], "edges": []});
    let workflow = Workflow::from_json(&document.to_string()).unwrap();
    let plan = workflow.plan(&library.view(OwnerId(1))).unwrap();

    let target = ("Hundred", "Arithmetic.zip:Arithmetic", "Addition");
    let second = library.replace(&owner(1), None, "Base.zip", &presets("Base", &[target])).unwrap();
    assert_ne!(first.digest, second.digest);
    assert_eq!(second.dependents, [known("Over.zip")]);
    // What was planned keeps the old code, what is planned now has the new one.
    let inputs = |block: &dyn eeg_workflow_core::block::Block| block.spec().inputs().len();
    let old = plan.block(eeg_workflow_core::workflow::BlockIndex(0)).unwrap();
    assert_eq!(inputs(&**old), 0);
    let view = library.view(OwnerId(1));
    assert_eq!(inputs(&**view.find("Over.zip:Over", "H2").unwrap()), 2);
    assert!(view.module("Base.zip:Base").unwrap().public);

    let versions = view.versions(["Over.zip:Over"]);
    let base = ModuleVersion { module: "Base.zip:Base".into(), digest: second.digest };
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[1], base);
    drop(library);
    let library = open(folder.path());
    assert!(library.problems().is_empty());
    assert_eq!(library.view(OwnerId(1)).versions(["Over.zip:Over"]), versions);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_version_that_breaks_others_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), true, "Base.zip", &base("Hundred")).unwrap();
    library.install(&owner(1), false, "Over.zip", &over()).unwrap();
    let error = library.replace(&owner(1), None, "Base.zip", &base("Thousand")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "archive \"Base.zip\" cannot be replaced: \"Over.zip\" depends on it and would no longer \
         work"
    );
    assert!(works(&library, 1, "Base.zip:Base", "Hundred"));
    // The name of another user's private archive is not told.
    library.remove(&owner(1), "Over.zip").unwrap();
    library.install(&owner(2), false, "Over.zip", &over()).unwrap();
    let error = library.replace(&owner(1), None, "Base.zip", &base("Thousand")).unwrap_err();
    assert!(error.to_string().contains("a private archive of another user"), "{error}");
    assert_eq!(library.dependents(&owner(1), "Base.zip"), [Dependent::Private]);
    let error = library.replace(&owner(1), Some(false), "Base.zip", &base("Hundred"));
    assert!(matches!(error, Err(InstallError::BreaksDependent { .. })), "{error:?}");

    let error = library.replace(&owner(2), None, "Base.zip", &base("Hundred")).unwrap_err();
    assert!(matches!(error, InstallError::NotFound(_)), "{error}");
    // Nothing is left of what was refused.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn archives_cannot_be_made_to_depend_on_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), false, "Base.zip", &base("Hundred")).unwrap();
    library.install(&owner(1), false, "Over.zip", &over()).unwrap();
    let circle = presets("Base", &[("Hundred", "Over.zip:Over", "H2")]);
    let error = library.replace(&owner(1), None, "Base.zip", &circle).unwrap_err();
    assert_eq!(
        error.to_string(),
        "archives depend on each other: \"Base.zip\" → \"Over.zip\" → \"Base.zip\""
    );
}

#[test]
fn a_private_name_is_neither_taken_nor_told_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), false, "Lab.zip", &base("Private")).unwrap();
    library.install(&owner(2), true, "Lab.zip", &base("Public")).unwrap();
    assert!(works(&library, 1, "Lab.zip:Base", "Private"));
    assert!(works(&library, 2, "Lab.zip:Base", "Public"));
    assert!(works(&library, 3, "Lab.zip:Base", "Public"));
    let view = library.view(OwnerId(1));
    let listed = view.modules().filter(|entry| entry.archive.is_some());
    assert_eq!(listed.map(|entry| entry.public).collect::<Vec<_>>(), [false]);
    // A public name is taken.
    let error = library.install(&owner(3), false, "Lab3.zip", &base("Mine")).unwrap_err();
    assert!(matches!(error, InstallError::ModuleExists { .. }), "{error}");
}

#[test]
fn a_module_is_found_by_its_folder_where_its_archive_was_renamed() {
    let folder = tempfile::tempdir().unwrap();
    let library = open(folder.path());
    library.install(&owner(1), false, "lab_blocks_v2.zip", &module("Robust9")).unwrap();
    let document = json!({
        "blocks": [{"id": 1, "type": "Hundred", "module": "Robust9.zip:Robust9"}],
        "edges": [],
    });
    let workflow = Workflow::from_json(&document.to_string()).unwrap();
    let plan = workflow.plan(&library.view(OwnerId(1))).unwrap();
    let versions = library.view(OwnerId(1)).versions(plan.modules().iter().map(String::as_str));
    assert_eq!(versions[0].module, "lab_blocks_v2.zip:Robust9");

    let message = |user: i64| workflow.plan(&library.view(OwnerId(user))).unwrap_err().to_string();
    assert_eq!(message(2), "block 1 (Hundred): there is no module \"Robust9.zip:Robust9\"");
    library.install(&owner(2), true, "other.zip", &module("Robust9")).unwrap();
    assert_eq!(
        message(1),
        "block 1 (Hundred): there is no module \"Robust9.zip:Robust9\"; name one of these: \
         \"lab_blocks_v2.zip:Robust9\" (your own), \"other.zip:Robust9\" (of user2@lab.org)"
    );
    assert!(workflow.plan(&library.view(OwnerId(2))).is_ok());
}
