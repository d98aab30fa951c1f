//! Zip archives made byte by byte, so that they can be wrong in any way.
#![allow(unreachable_pub, dead_code, reason = "a module of several test programs")]

/// An entry, with what its headers say of it.
#[derive(Clone)]
pub struct Entry {
    pub name: Vec<u8>,
    /// As it stands in the archive.
    pub data: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    pub crc: u32,
    pub size: u32,
    /// The Unix mode, 0 for none.
    pub mode: u32,
    /// The name in front of the data, if it is another.
    pub local_name: Option<Vec<u8>>,
}

/// A stored file.
pub fn file(name: &str, data: &[u8]) -> Entry {
    Entry {
        name: name.into(),
        data: data.into(),
        method: 0,
        flags: 0x800,
        crc: crc32(data),
        size: u32::try_from(data.len()).unwrap(),
        mode: 0,
        local_name: None,
    }
}

/// A file that inflates to zeros: about 1/1000 of its size in the archive.
pub fn zeros(name: &str, megabytes: usize) -> Entry {
    use std::io::{Cursor, Write};
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.start_file("a", options.compression_level(Some(9))).unwrap();
    let data = vec![0; megabytes << 20];
    writer.write_all(&data).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let entry = archive.by_index(0).unwrap();
    let start = usize::try_from(entry.data_start().unwrap()).unwrap();
    let length = usize::try_from(entry.compressed_size()).unwrap();
    let compressed = bytes[start..start + length].to_vec();
    Entry { data: compressed, method: 8, ..file(name, &data) }
}

/// The archive of these entries.
pub fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = u32::try_from(bytes.len()).unwrap();
        let local = entry.local_name.as_ref().unwrap_or(&entry.name);
        bytes.extend(b"PK\x03\x04\x14\0");
        bytes.extend(common(entry, local.len()));
        bytes.extend(local);
        bytes.extend(&entry.data);

        // Made by Unix if there is a mode.
        directory.extend(b"PK\x01\x02\x14");
        directory.push(if entry.mode == 0 { 0 } else { 3 });
        directory.extend(b"\x14\0");
        directory.extend(common(entry, entry.name.len()));
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = u32::try_from(bytes.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

/// The fields that both headers have, from the flags to the length of the extra field.
fn common(entry: &Entry, name: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(entry.flags.to_le_bytes());
    bytes.extend(entry.method.to_le_bytes());
    // The first of January 1980.
    bytes.extend([0, 0, 0x21, 0]);
    bytes.extend(entry.crc.to_le_bytes());
    bytes.extend(u32::try_from(entry.data.len()).unwrap().to_le_bytes());
    bytes.extend(entry.size.to_le_bytes());
    bytes.extend(u16::try_from(name).unwrap().to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

fn crc32(data: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (i, entry) in table.iter_mut().enumerate() {
        let mut crc = u32::try_from(i).unwrap();
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
        *entry = crc;
    }
    let next = |crc: u32, byte: &u8| (crc >> 8) ^ table[usize::from(crc.to_le_bytes()[0] ^ byte)];
    !data.iter().fold(!0, next)
}

/// A `module.json` with one preset, the constant 100.
pub const HUNDRED: &str = r#"{"format": 1, "blocks": [{
    "name": "Hundred", "family": "Constants", "description": "The number 100",
    "preset": {
        "module": "Arithmetic.zip:Arithmetic", "type": "Constant",
        "values": {"constant value": "100"}
    }
}]}"#;

/// An archive of one declarative module with this name.
pub fn module(name: &str) -> Vec<u8> {
    archive(&[file(&format!("{name}/module.json"), HUNDRED.as_bytes())])
}
