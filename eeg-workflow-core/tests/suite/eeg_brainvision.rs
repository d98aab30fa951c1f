//! BrainVision files that the tests make themselves: round trips, refusals, and no panic on
//! whatever bytes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use std::fs;
use std::path::Path;

use eeg_support::{date, marker, wave, written};
use eeg_workflow_core::eeg::formats::brainvision::{
    Header, Int16Channel, Int16Recording, Markers, WriteError,
};
use eeg_workflow_core::eeg::{ReadError, RecordingError, read, read_inside};
use ndarray::Array2;
use proptest::prelude::*;
use tempfile::TempDir;

/// A header of two channels with lines replaced or added, and its data file of `data`.
fn set(folder: &TempDir, replace: &[(&str, &str)], data: &[u8]) -> std::path::PathBuf {
    let mut header = "Brain Vision Data Exchange Header File Version 1.0\n\
        [Common Infos]\nCodepage=UTF-8\nDataFile=a.eeg\nMarkerFile=a.vmrk\nDataFormat=BINARY\n\
        DataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=2000\n\
        [Binary Infos]\nBinaryFormat=INT_16\n\
        [Channel Infos]\nCh1=Fz,,0.5,µV\nCh2=Cz,,0.5,µV\n"
        .to_owned();
    for (old, new) in replace {
        assert!(header.contains(old), "{old}");
        header = header.replace(old, new);
    }
    let path = folder.path().join("a.vhdr");
    fs::write(&path, header).unwrap();
    fs::write(folder.path().join("a.eeg"), data).unwrap();
    path
}

/// The message of the error that such a header makes.
fn refusal(replace: &[(&str, &str)], data: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = set(&folder, replace, data);
    read(&path).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("round trip.vhdr");
    let samples = wave(3, 1000);
    let markers = vec![
        marker("Stimulus", "S  1", 0, 1),
        marker("Comment", "a, b", 10, 25),
        marker("Stimulus", "S 12", 999, 1),
    ];
    let recording = written(&path, &samples, markers);
    assert_eq!(recording.shape(), (3, 1000));
    assert_eq!(recording.sfreq(), 500.0);
    assert_eq!(recording.info().meas_date, Some(date()));
    assert_eq!(date().to_string(), "2024-02-29T23:59:59.000001+00:00");
    let gain = 1e-6 * 0.1;
    for ((c, t), stored) in samples.indexed_iter() {
        let volts = f64::from(*stored) * gain;
        assert_eq!(recording.data()[(c, t)].to_bits(), volts.to_bits());
    }
    let descriptions: Vec<&str> =
        recording.annotations().iter().map(|a| a.description.as_str()).collect();
    assert_eq!(descriptions, ["Stimulus/S  1", "Comment/a, b", "Stimulus/S 12"]);
    assert_eq!(recording.annotations()[1].duration, 0.05);
}

/// Of the five bytes that Windows-1252 has no letters for, Ä in UTF-8 has none and Í has one.
#[test]
fn what_is_not_valid_in_its_code_page_is_latin_1() {
    for (name, expected) in [("Ä1", "Ã„1"), ("Í1", "Ã\u{8d}1")] {
        let folder = tempfile::tempdir().unwrap();
        let replace = [("Codepage=UTF-8", "Codepage=ANSI"), ("Fz", name), ("µV", "uV")];
        let path = set(&folder, &replace, &[0; 8]);
        assert_eq!(read(&path).unwrap().channel_names().next(), Some(expected));
    }
}

#[test]
fn all_orders_and_encodings_of_the_same_numbers_read_alike() {
    let values = Array2::from_shape_fn((2, 700), |(c, t)| (t as i16 - 350) * (1 + c as i16));
    let order = |transposed: bool| -> Vec<i16> {
        if transposed {
            values.t().iter().copied().collect()
        } else {
            values.iter().copied().collect()
        }
    };
    let bytes = |numbers: &[i16], format: &str| -> Vec<u8> {
        let encode = |v: &i16| match format {
            "INT_16" => v.to_le_bytes().to_vec(),
            "INT_32" => i32::from(*v).to_le_bytes().to_vec(),
            _ => f32::from(*v).to_le_bytes().to_vec(),
        };
        numbers.iter().flat_map(encode).collect()
    };
    for (orientation, transposed) in [("MULTIPLEXED", true), ("VECTORIZED", false)] {
        for format in ["INT_16", "INT_32", "IEEE_FLOAT_32"] {
            let folder = tempfile::tempdir().unwrap();
            let replace = [("MULTIPLEXED", orientation), ("INT_16", format)];
            let path = set(&folder, &replace, &bytes(&order(transposed), format));
            let recording = read(&path).unwrap();
            let expected = values.mapv(|v| f64::from(v) * (1e-6 * 0.5));
            assert_eq!(*recording.data(), expected, "{orientation} {format}");
            assert_eq!(recording.clone().into_data(), expected, "{orientation} {format}");
            for c in 0..2 {
                assert_eq!(recording.channel(c).unwrap(), expected.row(c).to_vec());
            }
            let envelope = recording.envelope(7);
            for (c, k) in [(0, 0), (1, 3), (1, 6)] {
                let stretch = expected.slice(ndarray::s![c, k * 100..(k + 1) * 100]);
                let (low, high) = (stretch[0], stretch[99]);
                assert_eq!(envelope[c][k], (low, high), "{orientation} {format}");
            }
        }
    }
}

#[test]
fn channels_are_picked_in_the_order_asked() {
    let folder = tempfile::tempdir().unwrap();
    let samples = wave(3, 400);
    let stored = written(&folder.path().join("pick.vhdr"), &samples, vec![]);
    let volts = eeg_workflow_core::eeg::Recording::from_volts(
        stored.info().clone(),
        stored.clone().into_data(),
    );
    for recording in [stored, volts.unwrap()] {
        let picked = recording.pick_channels(&["C3", "C1"]).unwrap();
        assert_eq!(picked.channel_names().collect::<Vec<_>>(), ["C3", "C1"]);
        assert_eq!(picked.channel(0), recording.channel(2));
        assert_eq!(picked.data().row(1), recording.data().row(0));
        assert_eq!(picked.envelope(5)[0], recording.envelope(5)[2]);
        assert_eq!(picked.channel(2), None);
        assert_eq!(recording.pick_channels::<&str>(&[]).unwrap().shape(), (3, 400));
        let error = recording.pick_channels(&["C1", "Oz", "Pz"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no channel \"Oz\", \"Pz\" in the recording, which has \"C1\", \"C2\", \"C3\""
        );
        let error = recording.pick_channels(&["C1", "C1"]).unwrap_err();
        assert!(matches!(error, RecordingError::DuplicateChannel { .. }));
    }
}

#[test]
fn a_change_to_one_clone_is_not_seen_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let stored = written(&folder.path().join("share.vhdr"), &wave(2, 50), vec![]);
    let volts = stored.clone().into_data();
    let recording =
        eeg_workflow_core::eeg::Recording::from_volts(stored.info().clone(), volts).unwrap();
    let other = recording.clone();
    let mut changed = recording.into_data();
    changed.fill(1.0);
    assert_eq!(*other.data(), *stored.data());
    // Held by nobody else, the samples are handed over and not copied.
    let place = other.data().as_ptr();
    assert_eq!(other.into_data().as_ptr(), place);
}

#[test]
fn samples_stay_as_stored_until_volts_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let recording = written(&folder.path().join("small.vhdr"), &wave(4, 1000), vec![]);
    assert_eq!(recording.byte_size(), 4 * 1000 * 2);
    let volts = eeg_workflow_core::eeg::Recording::from_volts(
        recording.info().clone(),
        recording.into_data(),
    );
    assert_eq!(volts.unwrap().byte_size(), 4 * 1000 * 8);
}

#[test]
fn markers_outside_the_recording_are_dropped_and_those_over_its_end_cut() {
    let folder = tempfile::tempdir().unwrap();
    let markers = vec![
        marker("Stimulus", "S  3", 99, 50),
        marker("Stimulus", "S  1", -1, 1),
        marker("Stimulus", "S  2", 100, 1),
        marker("Stimulus", "S  4", 101, 1),
        marker("Stimulus", "S  5", -9, 2),
    ];
    let recording = written(&folder.path().join("cut.vhdr"), &wave(1, 100), markers);
    let kept: Vec<(f64, f64, &str)> = recording
        .annotations()
        .iter()
        .map(|a| (a.onset, a.duration, a.description.as_str()))
        .collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert_eq!(kept[0], (0.0, 0.0, "Stimulus/S  1"));
    assert_eq!((kept[1].0, kept[1].2), (0.198, "Stimulus/S  3"));
    assert!((kept[1].1 - 0.002).abs() < 1e-12);
    assert_eq!(kept[2], (0.2, 0.0, "Stimulus/S  2"));
}

#[test]
fn the_greek_mu_is_micro_and_unknown_code_pages_are_latin_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = set(&folder, &[("Ch1=Fz,,0.5,µV", "Ch1=Fz,,0.5,μV")], &[2, 0, 2, 0]);
    assert_eq!(*read(&path).unwrap().data(), ndarray::array![[1e-6], [1e-6]]);
    let header = fs::read_to_string(&path).unwrap().replace("UTF-8", "Klingon-7");
    let latin: Vec<u8> = header.replace('μ', "µ").chars().map(|c| c as u8).collect();
    fs::write(&path, latin).unwrap();
    assert_eq!(*read(&path).unwrap().data(), ndarray::array![[1e-6], [1e-6]]);
}

#[test]
fn files_are_read_from_the_headers_folder_only() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret.eeg");
    fs::write(&secret, [1, 0, 2, 0]).unwrap();
    let absolute = format!("DataFile={}", secret.display());
    let names = [
        "DataFile=../secret.eeg",
        &absolute,
        "DataFile=sub/secret.eeg",
        "DataFile=..\\secret.eeg",
        "DataFile=C:secret.eeg",
        "DataFile=..",
    ];
    for name in names {
        let error = refusal(&[("DataFile=a.eeg", name)], &[0; 8]);
        assert!(error.contains("a.vhdr") && error.contains("plain name"), "{name}: {error}");
    }
    let error = refusal(&[("MarkerFile=a.vmrk", "MarkerFile=../../etc/passwd")], &[0; 8]);
    assert!(error.contains("plain name"), "{error}");
}

#[test]
fn the_placeholder_stands_for_the_headers_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = set(&folder, &[("DataFile=a.eeg", "DataFile=$b.eeg")], &[0; 8]);
    assert_eq!(read(&path).unwrap().shape(), (2, 2));
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_folder_is_followed_only_for_who_is_trusted() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, [1, 0, 2, 0]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = set(&folder, &[], &[]);
    let data = folder.path().join("a.eeg");
    fs::remove_file(&data).unwrap();
    std::os::unix::fs::symlink(&secret, &data).unwrap();
    assert_eq!(read(&path).unwrap().shape(), (2, 1));
    let error = read_inside(&path, folder.path()).unwrap_err();
    assert!(matches!(error, ReadError::Outside { .. }), "{error}");
    fs::remove_file(&data).unwrap();
    fs::write(&data, [0; 8]).unwrap();
    assert_eq!(read_inside(&path, folder.path()).unwrap().shape(), (2, 2));
}

#[test]
fn errors_name_the_file_and_the_line() {
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Case<'_>; 10] = [
        (&[("SamplingInterval=2000", "SamplingInterval=soon")], &["a.vhdr", "line 9", "soon"]),
        (&[("SamplingInterval=2000", "SamplingInterval=0")], &["line 9", "microseconds"]),
        (&[("SamplingInterval=2000\n", "")], &["a.vhdr", "no SamplingInterval"]),
        (&[("Channels=2", "Channels=99999999999999999999")], &["line 8"]),
        (&[("Channels=2", "Channels=16000")], &["no Ch3"]),
        (&[("Channels=2", "Channels=1")], &["line 14", "Ch2"]),
        (&[("Ch2=Cz,,0.5", "Ch2=Cz,,half")], &["line 14", "half"]),
        (&[("MULTIPLEXED", "SIDEWAYS")], &["line 7", "SIDEWAYS"]),
        (&[("INT_16", "INT_24")], &["line 11", "INT_24"]),
        (&[("DataFile=a.eeg", "DataFile=../b.eeg")], &["b.eeg"]),
    ];
    for (replace, words) in cases {
        let error = refusal(replace, &[0; 8]);
        for word in words {
            assert!(error.contains(word), "{replace:?}: {error}");
        }
    }
    let error = refusal(&[], &[1, 2, 3]);
    assert!(error.contains("a.eeg") && error.contains("3 bytes"), "{error}");
    let ascii = [("BINARY", "ASCII")];
    let error = refusal(&ascii, b"1 2\n3 x\n");
    assert!(
        error.contains("a.eeg") && error.contains("line 2") && error.contains("\"x\""),
        "{error}"
    );
    let error = refusal(&ascii, b"1 2\n3 4\n5\n");
    assert!(error.contains("line 3") && error.contains("1 numbers instead of 2"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = set(&folder, &[], &[0; 8]);
    let markers =
        "Brain Vision\n[Marker Infos]\nMk1=Stimulus,S  1,1,1,0\nMk2=Stimulus,S  1,later,1,0\n";
    fs::write(folder.path().join("a.vmrk"), markers).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("a.vmrk") && error.contains("line 4"), "{error}");
}

#[test]
fn a_file_that_is_no_recording_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "Dear diary").unwrap();
    assert!(matches!(read(&path), Err(ReadError::UnknownFormat { .. })));
    let error = read(&folder.path().join("alone.eeg")).unwrap_err();
    assert!(matches!(error, ReadError::NoHeader { .. }), "{error}");
    let error = read(folder.path()).unwrap_err();
    assert!(matches!(error, ReadError::NotAFile { .. }), "{error}");
    // A header under another name is known by its first line.
    let header = fs::read(set(&folder, &[], &[0; 8])).unwrap();
    let odd = folder.path().join("header.txt");
    fs::write(&odd, header).unwrap();
    assert_eq!(read(&odd).unwrap().shape(), (2, 2));
}

#[test]
fn a_recording_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let samples = wave(2, 10);
    let recording = Int16Recording {
        channels: vec![Int16Channel { name: "Cz".into(), unit: "µV".into(), resolution: 1.0 }],
        sfreq: 100.0,
        meas_date: None,
        samples: samples.view(),
        markers: vec![],
    };
    let write = |name: &str| recording.write(&folder.path().join(name));
    assert!(matches!(write("a.vhdr"), Err(WriteError::ChannelCount { channels: 1, rows: 2 })));
    assert!(matches!(write("a.txt"), Err(WriteError::Name { .. })));
    assert!(!folder.path().join("a.eeg").exists());
}

/// Text that is likely to get past the first checks.
fn near_header() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("[Common Infos]".to_owned()),
        Just("[Channel Infos]".to_owned()),
        Just("[Coordinates]".to_owned()),
        Just("[ASCII Infos]".to_owned()),
        Just("[Comment]".to_owned()),
        Just("DataFile=x.eeg".to_owned()),
        Just("DataFormat=ASCII".to_owned()),
        Just("DataOrientation=VECTORIZED".to_owned()),
        "NumberOfChannels=[0-9]{1,2}",
        "SamplingInterval=[0-9.e-]{1,5}",
        "Ch[0-9]{1,2}=[a-zµ1,.\\\\]{0,12}",
        "Skip(Lines|Columns)=[0-9]{1,20}",
        "# +Low Cutoff( \\[s\\])?  +High Cutoff.{0,5}",
        "[0-9]  +[0-9DCOf.]{1,4}  +[0-9NaN.]{1,4}",
        "Mk[0-9]{1,3}=(New Segment|Stimulus),.{0,8},-?[0-9]{0,20},[0-9]{0,22}(,0,[0-9]{20})?",
        Just("[Marker Infos]".to_owned()),
        ".{0,20}",
    ];
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_parser_panic(text in prop_oneof![near_header(), ".{0,200}"]) {
        let _ = Header::parse(&text);
        let _ = Markers::parse(&text);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        header in prop::collection::vec(any::<u8>(), 0..200),
        lines in near_header(),
        data in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.vhdr");
        let mut bytes = b"[Common Infos]\nDataFile=x.eeg\nMarkerFile=x.vmrk\nSamplingInterval=10\n\
            NumberOfChannels=1\nDataFormat=ASCII\nDataOrientation=MULTIPLEXED\n\
            [Channel Infos]\nCh1=a\n".to_vec();
        bytes.extend(lines.bytes());
        bytes.extend(&header);
        fs::write(&path, &bytes).unwrap();
        fs::write(path.with_extension("eeg"), &data).unwrap();
        fs::write(path.with_extension("vmrk"), &header).unwrap();
        if let Ok(recording) = read(&path) {
            prop_assert!(recording.n_samples() > 0);
        }
    }

    #[test]
    fn any_samples_survive_the_round_trip(
        samples in prop::collection::vec(any::<i16>(), 1..300),
        resolution in 1e-6_f64..1e6,
        interval in 1_u32..1_000_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.vhdr");
        let array = Array2::from_shape_vec((1, samples.len()), samples).unwrap();
        let sfreq = 1e6 / f64::from(interval);
        Int16Recording {
            channels: vec![Int16Channel { name: "x".into(), unit: "mV".into(), resolution }],
            sfreq,
            meas_date: None,
            samples: array.view(),
            markers: vec![marker("Stimulus", "S  1", 0, 0)],
        }
        .write(&path)
        .unwrap();
        let back = read(Path::new(&path)).unwrap();
        // The file holds the interval, so the rate may differ in its last digit.
        prop_assert!((back.sfreq() / sfreq - 1.0).abs() < 1e-15);
        prop_assert_eq!(&*back.data(), &array.mapv(|v| f64::from(v) * (1e-3 * resolution)));
        prop_assert_eq!(back.events().unwrap().rows.len(), 1);
    }
}
