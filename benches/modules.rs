//! Reading and installing archives.
//!
//! `cargo bench -p benches --bench modules`
#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};

use divan::Bencher;
use divan::counter::BytesCount;
use eeg_workflow_core::block::OwnerId;
use eeg_workflow_core::builtin;
use eeg_workflow_core::module::{Archive, ArchiveLimits, ModuleLibrary, Owner};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn main() {
    divan::main();
}

/// An archive of the example module, with data files of `size` bytes in all beside it.
fn archive(size: usize) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.start_file("Statistics/module.json", options).unwrap();
    zip.write_all(include_bytes!("../examples/modules/Statistics/module.json")).unwrap();
    let mut state = 1_u32;
    for file in 0..size.div_ceil(1 << 16) {
        zip.start_file(format!("Statistics/data/{file}.txt"), options).unwrap();
        let line = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + (state >> 28) as u8
        };
        zip.write_all(&(0..1 << 16).map(line).collect::<Vec<u8>>()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Reading and checking an archive, bytes of it.
#[divan::bench(args = [0, 1 << 20, 16 << 20])]
fn read(bencher: Bencher<'_, '_>, size: usize) {
    let bytes = archive(size);
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        Archive::read("Statistics.zip", &bytes, &ArchiveLimits::default()).unwrap()
    });
}

/// Installing an archive durably, and removing it.
#[divan::bench(sample_count = 20)]
fn install_and_remove(bencher: Bencher<'_, '_>) {
    let folder = std::env::temp_dir().join(format!("bench-modules-{}", std::process::id()));
    let registry = builtin::registry().unwrap();
    let library = ModuleLibrary::open(&folder, registry, ArchiveLimits::default()).unwrap();
    let owner = Owner { id: OwnerId(1), email: "bench@example.org".to_owned() };
    let bytes = archive(0);
    bencher.bench_local(|| {
        library.install(&owner, false, "Statistics.zip", &bytes).unwrap();
        library.remove(&owner, "Statistics.zip").unwrap();
    });
    let _ = std::fs::remove_dir_all(folder);
}
