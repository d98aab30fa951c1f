//! Wavelet features, labels and splits beside the reference data.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::eeg_support;

use eeg_support::{expected_recordings, indices, json, numbers, reference};
use eeg_workflow_core::eeg::{
    EpochOptions, Epochs, FeatureVectors, FirFilter, Labels, Wavelet, train_test_split,
};
use serde_json::Value;

#[test]
fn one_step_of_db1_is_equal_to_the_last_bit() {
    let Some(folder) = reference() else { return };
    let misc = json(&folder.join("expected/misc.json"));
    for case in misc["dwt_db1"].as_array().unwrap() {
        let x = numbers(&case["x"]);
        let (approximation, detail) = Wavelet::DB1.dwt(&x);
        assert_eq!(approximation, numbers(&case["approx"]), "{} samples", x.len());
        let expected = numbers(&case["detail"]);
        assert_eq!(detail.len(), expected.len());
        assert!(detail.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15));
    }
}

#[test]
fn splits_are_those_of_scikit_learn() {
    let Some(folder) = reference() else { return };
    let misc = json(&folder.join("expected/misc.json"));
    for case in misc["train_test_split"].as_array().unwrap() {
        let n = case["n"].as_u64().unwrap() as usize;
        let test_size = case["test_size"].as_f64().unwrap();
        let own = train_test_split(n, test_size, 42);
        if case["error"].is_string() {
            let message = own.unwrap_err().to_string();
            assert!(message.contains("test size"), "{message}");
        } else if let Some(result) = case["result"].as_array() {
            let own = own.unwrap();
            assert_eq!([own.train, own.test], [indices(&result[0]), indices(&result[1])]);
        } else {
            let own = own.unwrap();
            assert_eq!(own.train, indices(&case["train_index"]), "{n} {test_size}");
            assert_eq!(own.test, indices(&case["test_index"]), "{n} {test_size}");
        }
    }
}

#[test]
fn wavelet_features_labels_and_splits_of_recordings_are_the_expected_ones() {
    let Some(folder) = reference() else { return };
    let (mut compared, mut worst) = (0, 0.0_f64);
    for (_, expected, recording) in expected_recordings(&folder) {
        if expected["wavelet_block_default"].is_null() {
            continue;
        }
        let mut check = |epochs: &Epochs, expected: &Value| {
            let own = FeatureVectors::from_wavelet(epochs, Wavelet::DB1, 1).unwrap();
            assert_eq!(own.len() as u64, expected["n_vectors"].as_u64().unwrap());
            assert_eq!(own.feature_count() as u64, expected["n_features"].as_u64().unwrap());
            let ids: Vec<f64> = own.event_ids().iter().map(|id| f64::from(*id)).collect();
            assert_eq!(ids, numbers(&expected["event_id_per_vector"]));
            let places = indices(&expected["scattered_feature_index"]);
            let rows = expected["scattered_features_all_vectors_first20"].as_array().unwrap();
            for (own, expected) in own.values().rows().into_iter().zip(rows) {
                for (place, expected) in places.iter().zip(numbers(expected)) {
                    // Vectors are of norm 1.
                    worst = worst.max((own[*place] - expected).abs());
                    compared += 1;
                }
            }
            own
        };
        let epochs = Epochs::extract(&recording, &EpochOptions::default()).unwrap();
        check(&epochs, &expected["wavelet_block_default"]);
        for step in expected["pipeline"].as_array().unwrap() {
            if step["wavelet"].is_null() {
                continue;
            }
            let [low, high] = [&step["filter"][0], &step["filter"][1]].map(Value::as_f64);
            let filter = FirFilter::band(recording.sfreq(), low, high).unwrap();
            let filtered = filter.apply(recording.clone());
            let epochs = Epochs::extract(&filtered, &EpochOptions::default()).unwrap();
            let vectors = check(&epochs, &step["wavelet"]);
            for part in ["labels", "labels_partial"] {
                let entries: Vec<String> =
                    serde_json::from_value(step[part]["labels"].clone()).unwrap();
                let labels = Labels::parse(&entries).unwrap();
                let own = vectors.labelled(&labels).unwrap();
                assert_eq!(own.classes().unwrap(), indices(&step[part]["class_per_vector"]));
                assert_eq!(own.len() as u64, step[part]["n_kept"].as_u64().unwrap());
                for (id, class) in labels.mapping() {
                    assert_eq!(step[part]["mapping"][id.to_string()], *class);
                }
            }
            let split = &step["split_test_size_0.33_seed42"];
            if !split.is_null() {
                let own = train_test_split(vectors.len(), 0.33, 42).unwrap();
                assert_eq!(own.train, indices(&split["train_index"]));
                assert_eq!(own.test, indices(&split["test_index"]));
            }
        }
    }
    assert!(compared > 1000, "{compared}");
    assert!(worst < 1e-9, "{worst}");
}
