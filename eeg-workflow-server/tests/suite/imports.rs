//! The program's modules import one another in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

/// The text of each source file without its tests, by module path.
fn read_sources(folder: &Path, module: &str, all: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = match (module, stem.as_str()) {
            (_, "mod") => module.to_owned(),
            ("", _) => stem,
            _ => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            read_sources(&path, &name, all)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let parent = name.rsplit_once("::").map_or("", |(parent, _)| parent);
            let code = code.replace("super::", &format!("crate::{parent}::"));
            all.insert(name, code);
        }
    }
    Ok(())
}

/// The longest module that is the beginning of a path.
fn module_of(path: &str, known: &BTreeSet<String>) -> Option<String> {
    let mut path = path;
    loop {
        if known.contains(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// The paths of this crate that the text names.
fn named(text: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for found in text.split("crate::").skip(1) {
        let end = found.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '{')));
        let path = found.get(..end.unwrap_or(found.len())).unwrap_or_default();
        let (path, group) = match path.split_once('{') {
            Some((path, _)) => (path.trim_end_matches("::"), found.split_once('{')),
            None => (path, None),
        };
        paths.insert(path.to_owned());
        let group = group.and_then(|(_, rest)| rest.split_once('}')).map(|(group, _)| group);
        for item in group.unwrap_or_default().split(',') {
            paths.insert(format!("{path}::{}", item.trim()));
        }
    }
    paths
}

#[test]
fn no_module_imports_one_that_imports_it() -> io::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = BTreeMap::new();
    read_sources(&source, "", &mut texts)?;
    // It only starts the commands.
    texts.remove("main");
    let known: BTreeSet<String> = texts.keys().cloned().collect();
    assert!(known.len() > 30 && known.contains("http::state"), "{known:?}");
    let mut edges: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (module, text) in &texts {
        let mut paths = named(text);
        let declared =
            text.lines().filter_map(|line| line.trim_end_matches(';').split_once("mod "));
        paths.extend(declared.map(|(_, child)| format!("{module}::{child}")));
        let targets = paths.iter().filter_map(|path| module_of(path, &known));
        edges.insert(module, targets.filter(|target| target != module).collect());
    }
    assert!(edges.values().map(BTreeSet::len).sum::<usize>() > 100);
    // Takes away whatever imports nothing that is left: what remains is a circle.
    while let Some(leaf) = edges
        .iter()
        .find(|(_, targets)| targets.iter().all(|target| !edges.contains_key(target.as_str())))
        .map(|(module, _)| *module)
    {
        edges.remove(leaf);
    }
    assert!(edges.is_empty(), "these modules import one another: {edges:#?}");
    Ok(())
}

#[test]
fn what_serves_http_knows_no_command() -> io::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = BTreeMap::new();
    read_sources(&source, "", &mut texts)?;
    for (module, text) in texts.iter().filter(|(module, _)| module.starts_with("http")) {
        let upwards: Vec<_> =
            named(text).into_iter().filter(|p| p.starts_with("command")).collect();
        assert!(upwards.is_empty(), "{module} imports {upwards:?}");
    }
    Ok(())
}
