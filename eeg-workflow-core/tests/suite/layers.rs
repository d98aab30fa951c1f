//! The layers of the library: a module imports only from those below it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate with those that it may import from, itself aside. The core stands
/// in its order, one module above the other; a module that is missing here fails the test.
const LAYERS: &[(&str, &[&str])] = &[
    ("atomic_file", &[]),
    ("deadline", &[]),
    ("sync", &["deadline"]),
    ("huge_pages", &[]),
    ("block", &["deadline", "sync"]),
    ("guard", &["block"]),
    ("workflow", &["deadline", "sync", "block", "guard"]),
    ("engine", &["deadline", "sync", "block", "guard", "workflow"]),
    ("module", &["atomic_file", "deadline", "sync", "block", "guard", "workflow", "engine"]),
    ("job", &["atomic_file", "deadline", "sync", "block", "guard", "workflow", "engine", "module"]),
    ("picture", &["huge_pages"]),
    ("eeg", &["huge_pages", "picture"]),
    ("builtin", &["sync", "huge_pages", "block", "module", "picture", "eeg"]),
    ("runtime", &["deadline", "sync", "huge_pages", "block", "guard", "engine", "module", "eeg"]),
    ("docs", &[]),
];

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.to_string_lossy().ends_with(".rs")
            && !path.to_string_lossy().ends_with("_tests.rs")
        {
            files.push(path);
        }
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The modules that a source imports by `crate::…`, alone or in braces; comments and unit tests
/// do not count.
fn imports(source: &str) -> Vec<String> {
    let product = source.split("#[cfg(test)]\n#[allow").next().unwrap_or_default();
    let product = product.split("#[cfg(test)]\nmod").next().unwrap_or_default();
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(word(rest).to_owned());
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if depth == 0 && begins && c.is_alphabetic() => {
                    found.push(word(&group[at..]).to_owned());
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn no_module_imports_from_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 100, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let place = file.strip_prefix(&src).unwrap();
        let first = place.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: the module {module} has no layer", place.display()));
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let is_module = LAYERS.iter().any(|(name, _)| *name == import);
            if import != module && is_module && !below.contains(&import.as_str()) {
                wrong.push(format!("{} imports from {import}", place.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn imports_are_read_alone_in_braces_and_not_in_comments() {
    let source = "use crate::block::Value;\nuse crate::{engine::{Run, job}, module};\n\
                  // use crate::job;\nfn f() -> crate::eeg::Recording {}\n\
                  #[cfg(test)]\nmod tests { use crate::runtime; }\n";
    assert_eq!(imports(source), ["block", "engine", "module", "eeg"]);
}
