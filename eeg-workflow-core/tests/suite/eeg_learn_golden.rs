//! Features, folds, linear classifiers and networks beside PyWavelets, MNE, scikit-learn and
//! Keras. The numbers are made by `golden_learn/make_golden.py`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use eeg_workflow_core::eeg::network::*;
use eeg_workflow_core::eeg::{
    Channel, ChannelKind, Epochs, EpochsInfo, Event, FeatureVectors, Lda, Shrinkage, TimeWindow,
    Wavelet, area_under_curve, stratified_k_fold,
};
use ndarray::{Array1, Array2, Array3, s};
use serde_json::Value;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/golden_learn/golden.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = list(value);
    let columns = rows[0].len();
    Array2::from_shape_vec((rows.len(), columns), rows.concat()).unwrap()
}

/// Equal to this share of the largest expected value.
#[track_caller]
fn close<'a>(
    own: impl IntoIterator<Item = &'a f64>,
    expected: impl IntoIterator<Item = &'a f64>,
    tolerance: f64,
    what: &str,
) {
    let (own, expected): (Vec<f64>, Vec<f64>) =
        (own.into_iter().copied().collect(), expected.into_iter().copied().collect());
    assert_eq!(own.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let worst = own.iter().zip(&expected).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
    assert!(worst <= tolerance * largest, "{what}: off by {worst} of {largest}");
}

#[test]
fn wavelets_decompose_as_pywavelets_does() {
    for case in golden()["wavedec"].as_array().unwrap() {
        let name = case["wavelet"].as_str().unwrap();
        let wavelet: Wavelet = name.parse().unwrap();
        let (x, level): (Vec<f64>, _) = (list(&case["x"]), case["level"].as_u64().unwrap());
        let what = format!("{name} of {} samples, level {level}", x.len());
        let expected: Vec<Vec<f64>> = list(&case["coefficients"]);
        let own = wavelet.wavedec(&x, level as u32);
        let scale = x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        assert_eq!(own.len(), expected.len(), "{what}");
        for (own, expected) in own.iter().zip(&expected) {
            assert_eq!(own.len(), expected.len(), "{what}");
            let off =
                own.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-14 * scale.max(1.0));
            assert!(off, "{what}: {own:?} {expected:?}");
        }
        assert_eq!(wavelet.approximation(&x, level as u32), own[0]);
        assert_eq!(
            wavelet.max_level(x.len()),
            case["max_level"].as_u64().unwrap() as u32,
            "{what}"
        );
    }
    let unknown = "db99".parse::<Wavelet>().unwrap_err().to_string();
    assert!(unknown.contains("db99") && unknown.contains("sym4"), "{unknown}");
}

fn channel(name: &str) -> Channel {
    Channel { name: name.into(), kind: ChannelKind::Eeg, unit: "µV".into() }
}

#[test]
fn means_in_windows_are_those_of_cropped_epochs_in_mne() {
    for case in golden()["windowed_means"].as_array().unwrap() {
        let data: Vec<Vec<Vec<f64>>> = list(&case["data"]);
        let samples = data[0][0].len();
        let flat = data.into_iter().flatten().flatten().collect();
        let data = Array3::from_shape_vec((4, 2, samples), flat).unwrap();
        let info = EpochsInfo {
            sfreq: case["sfreq"].as_f64().unwrap(),
            first: case["first"].as_i64().unwrap(),
            ids: vec![],
            baseline: None,
        };
        // In the order of time the ids are 2 1 2 1, so the vectors are epochs 1 3 0 2.
        let events = (0..4).map(|i| Event { sample: i64::from(i) * 1000, id: 2 - i % 2 }).collect();
        let epochs = Epochs::from_data(info, vec![channel("a"), channel("b")], events, data);
        let windows: Vec<String> = list(&case["windows"]);
        let windows: Vec<TimeWindow> = windows.iter().map(|w| w.parse().unwrap()).collect();
        let own = FeatureVectors::from_windows(&epochs.unwrap(), &windows).unwrap();
        assert_eq!(own.event_ids(), [1, 1, 2, 2]);
        let expected = matrix(&case["means"]).select(ndarray::Axis(0), &[1, 3, 0, 2]);
        close(own.values().iter(), expected.iter(), 1e-13, "means");
    }
}

#[test]
fn folds_are_those_of_scikit_learn() {
    for case in golden()["folds"].as_array().unwrap() {
        let classes: Vec<usize> = list(&case["classes"]);
        let seed = case["seed"].as_u64().map(|seed| seed as u32);
        let folds = case["folds"].as_u64().unwrap() as usize;
        let own = stratified_k_fold(&classes, folds, seed).unwrap();
        for (own, expected) in own.iter().zip(case["splits"].as_array().unwrap()) {
            assert_eq!(own.train, list::<usize>(&expected["train"]), "seed {seed:?}");
            assert_eq!(own.test, list::<usize>(&expected["test"]), "seed {seed:?}");
        }
        assert_eq!(own.len(), folds);
    }
    let few = stratified_k_fold(&[0, 0, 0, 1, 1], 3, None).unwrap_err().to_string();
    assert_eq!(few, "3 folds, but class 1 has 2 members only");
    assert!(stratified_k_fold(&[0, 1], 1, None).is_err());
}

#[test]
fn linear_discriminants_are_those_of_scikit_learn() {
    for case in golden()["lda"].as_array().unwrap() {
        let (x, y): (_, Vec<usize>) = (matrix(&case["x"]), list(&case["y"]));
        let classes = case["classes"].as_u64().unwrap() as usize;
        for fit in case["fits"].as_array().unwrap() {
            linear_discriminant(&x, &y, classes, fit);
        }
    }
}

fn linear_discriminant(x: &Array2<f64>, y: &[usize], classes: usize, case: &Value) {
    let shrinkage = match case["shrinkage"].as_f64() {
        Some(share) => Shrinkage::Fixed(share),
        None => Shrinkage::Auto,
    };
    let what = format!("{:?} {classes} classes {shrinkage:?}", x.dim());
    let lda = Lda::fit(x.view(), y, classes, shrinkage).unwrap();
    let (coefficients, intercepts) = match classes {
        // scikit-learn keeps the difference.
        2 => (
            (&lda.coefficients.slice(s![1.., ..]) - &lda.coefficients.slice(s![..1, ..])),
            Array1::from_elem(1, lda.intercepts[1] - lda.intercepts[0]),
        ),
        _ => (lda.coefficients.clone(), lda.intercepts.clone()),
    };
    close(coefficients.iter(), matrix(&case["coef"]).iter(), 1e-9, &what);
    close(intercepts.iter(), &list::<f64>(&case["intercept"]), 1e-9, &what);
    let network = lda.into_network().unwrap();
    let own = network.predict(x.view()).unwrap();
    close(own.iter(), matrix(&case["probabilities"]).iter(), 1e-9, &what);

    let scores = Lda::cross_validate(x.view(), y, classes, shrinkage, 5, None).unwrap();
    for (own, expected) in scores.iter().zip(case["folds"].as_array().unwrap()) {
        assert!((own.accuracy - expected["accuracy"].as_f64().unwrap()).abs() < 1e-12, "{what}");
        assert!((own.auc - expected["auc"].as_f64().unwrap()).abs() < 1e-12, "{what}");
        assert_eq!(own.train + own.test, y.len());
    }
}

/// `LinearDiscriminantAnalysis(solver="lsqr", shrinkage=…)` of scikit-learn 1.9.
#[test]
fn a_class_of_one_vector_is_fitted_as_in_scikit_learn() {
    let x = ndarray::array![
        [0.1, 0.9],
        [0.4, 1.1],
        [0.2, 0.7],
        [0.8, 0.3],
        [0.3, 1.4],
        [1.1, 0.2],
        [0.5, 0.8],
        [0.9, 0.6]
    ];
    let y = [0, 0, 0, 0, 0, 1, 1, 1];
    for (shrinkage, expected) in [
        (Shrinkage::Auto, [0.0012942114332332897, 0.6501456843983081]),
        (Shrinkage::Fixed(0.3), [0.006663569085393277, 0.510378124905163]),
    ] {
        let lda = Lda::fit(x.slice(s![..6, ..]), &y[..6], 2, shrinkage).unwrap();
        let own = lda.into_network().unwrap().predict(x.slice(s![6.., ..])).unwrap();
        close(own.column(1).iter(), &expected, 1e-12, "one vector");
        let scores = Lda::cross_validate(x.view(), &y, 2, shrinkage, 2, None).unwrap();
        let scores: Vec<_> = scores.iter().map(|score| (score.accuracy, score.auc)).collect();
        assert_eq!(scores, [(1.0, 1.0), (0.5, 0.5)]);
    }
}

#[test]
fn what_lda_cannot_do_is_an_error_that_says_why() {
    let x = Array2::from_shape_fn((12, 2), |(i, j)| (i * 7 % 5) as f64 + j as f64);
    let y: Vec<usize> = (0..12).map(|i| i % 2).collect();
    let fails = |x: &Array2<f64>, y: &[usize], classes, shrinkage| {
        Lda::fit(x.view(), y, classes, shrinkage).unwrap_err().to_string()
    };
    // The second feature is the first and one.
    assert!(fails(&x, &y, 2, Shrinkage::Fixed(0.0)).contains("singular"));
    assert!(fails(&x, &y, 2, Shrinkage::Fixed(1.5)).contains("from 0 to 1"));
    assert!(fails(&x, &y, 3, Shrinkage::Auto).contains("no sample is of class 2 (counted from 0)"));
    assert!(fails(&x, &y, 1, Shrinkage::Auto).contains("at least 2"));
    assert!(fails(&x, &y[1..], 2, Shrinkage::Auto).contains("12 samples, but 11"));
    let wide = Array2::zeros((12, 5000));
    assert!(fails(&wide, &y, 2, Shrinkage::Auto).contains("5000 features"));
    let mut broken = x.clone();
    broken[(3, 1)] = f64::NAN;
    assert!(fails(&broken, &y, 2, Shrinkage::Auto).contains("sample 3"));
}

#[test]
fn the_area_under_the_curve_is_that_of_scikit_learn() {
    let case = &golden()["auc"];
    let (positive, scores): (Vec<bool>, Vec<f64>) =
        (list(&case["positive"]), list(&case["scores"]));
    let own = area_under_curve(&positive, Array1::from(scores).view()).unwrap();
    assert!((own - case["auc"].as_f64().unwrap()).abs() < 1e-14);
    assert_eq!(area_under_curve(&[true, true], Array1::zeros(2).view()), None);
}

#[test]
fn activations_and_optimizers_are_those_of_keras() {
    let golden = golden();
    let x: Vec<f64> = list(&golden["activations"]["x"]);
    for activation in Activation::ALL {
        let mut own = Array2::from_shape_vec((1, x.len()), x.clone()).unwrap();
        activation.apply(own.view_mut());
        let expected: Vec<f64> = list(&golden["activations"]["y"][activation.name()]);
        // XLA, which computes for Keras here, approximates tanh.
        let tolerance = if activation == Activation::Tanh { 1e-6 } else { 1e-12 };
        close(own.iter(), &expected, tolerance, activation.name());
    }
    for rule in [Rule::Adam, Rule::Adagrad, Rule::Rmsprop, Rule::Sgd] {
        let optimizer = Optimizer::new(rule);
        let mut weights: Vec<f64> = list(&golden["optimizer_start"]);
        let (mut first, mut second) = (vec![0.0; 6], vec![optimizer.initial(); 6]);
        let gradients: Vec<Vec<f64>> = list(&golden["optimizer_gradients"]);
        let steps: Vec<Vec<f64>> = list(&golden["optimizers"][rule.to_string()]);
        for ((t, gradient), expected) in (1..).zip(&gradients).zip(&steps) {
            optimizer.step(t, &mut weights, gradient, &mut first, &mut second);
            close(&weights, expected, 1e-12, &format!("{rule} step {t}"));
        }
    }
}

#[test]
fn behind_a_dropout_of_everything_only_the_last_bias_learns_as_in_keras() {
    let golden = golden();
    let all: Vec<usize> = list(&golden["step"]["y"]);
    // The bias after one step of 0.1 down the gradient, which knows the classes only.
    let stepped = |bias: &[f64], classes: &[usize]| -> Vec<f64> {
        let sum: f64 = bias.iter().map(|b| b.exp()).sum();
        let share = |class: usize| {
            classes.iter().filter(|c| **c == class).count() as f64 / classes.len() as f64
        };
        let one = |(class, b): (usize, &f64)| b - 0.1 * (b.exp() / sum - share(class));
        bias.iter().enumerate().map(one).collect()
    };
    let (before, after) = (&golden["step"]["weights"], &golden["dropout_1"]["after"]);
    for part in 0..3 {
        assert_eq!(before[part], after[part], "Keras changes no other weights");
    }
    close(&stepped(&list(&before[3]), &all), &list::<f64>(&after[3]), 1e-12, "Keras");

    let layers = LayerChain::default()
        .with(Layer::new(5, Activation::Tanh, 1.0).unwrap())
        .with(Layer::new(3, Activation::Softmax, 0.0).unwrap());
    // Not as many of each class, so that there is something to learn.
    let (x, classes) = (matrix(&golden["step"]["x"]), &all[..4]);
    let train = Examples { features: x.slice(s![..4, ..]), classes };
    let options = FitOptions {
        optimizer: Optimizer { rule: Rule::Sgd, learning_rate: 0.1 },
        epochs: 1,
        batch_size: 32,
        seed: 3,
    };
    let (network, _) = fit::<f64, TrainError>(&layers, train, None, &options, |_| Ok(())).unwrap();
    let start = Network::<f64>::glorot_uniform(4, &layers, 3).unwrap();
    for (layer, (trained, start)) in network.layers().iter().zip(start.layers()).enumerate() {
        assert_eq!(trained.weights, start.weights, "layer {layer}");
        let before = start.bias.to_vec();
        let expected = if layer == 1 { stepped(&before, classes) } else { before };
        close(trained.bias.iter(), &expected, 1e-12, "bias");
    }
}

#[test]
fn outputs_loss_and_the_first_step_are_those_of_keras() {
    let golden = golden();
    let case = &golden["step"];
    let network = |parts: &Value| {
        let vector = |i: usize| Array1::from(list::<f64>(&parts[i]));
        Network::new(vec![
            DenseLayer { weights: matrix(&parts[0]), bias: vector(1), activation: Activation::Elu },
            DenseLayer {
                weights: matrix(&parts[2]),
                bias: vector(3),
                activation: Activation::Softmax,
            },
        ])
        .unwrap()
    };
    let (start, after) = (network(&case["weights"]), network(&case["after"]));
    let (x, y): (_, Vec<usize>) = (matrix(&case["x"]), list(&case["y"]));
    close(
        start.predict(x.view()).unwrap().iter(),
        matrix(&case["predicted"]).iter(),
        1e-12,
        "outputs",
    );
    let (loss, gradients) = loss_and_gradient(&start, x.view(), &y).unwrap();
    assert!((loss - case["loss"].as_f64().unwrap()).abs() < 1e-6 * loss);
    let optimizer = Optimizer::new(Rule::Adam);
    for ((layer, gradient), after) in start.layers().iter().zip(&gradients).zip(after.layers()) {
        let mut weights: Vec<f64> = layer.weights.iter().chain(&layer.bias).copied().collect();
        let gradient: Vec<f64> = gradient.weights.iter().chain(&gradient.bias).copied().collect();
        let (mut first, mut second) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
        optimizer.step(1, &mut weights, &gradient, &mut first, &mut second);
        let expected: Vec<f64> = after.weights.iter().chain(&after.bias).copied().collect();
        close(&weights, &expected, 1e-12, "after a step");
    }
}

#[test]
fn trained_networks_are_as_good_as_those_of_keras() {
    let golden = golden();
    let case = &golden["training"];
    let x = matrix(&case["x"]).mapv(|v| v as f32);
    let y: Vec<usize> = list(&case["y"]);
    let train = Examples { features: x.slice(s![..160, ..]), classes: &y[..160] };
    let test = Examples { features: x.slice(s![160.., ..]), classes: &y[160..] };
    let layers = LayerChain::default()
        .with(Layer::new(16, Activation::Relu, 0.2).unwrap())
        .with(Layer::new(3, Activation::Softmax, 0.0).unwrap());
    for rule in [Rule::Adam, Rule::Adagrad, Rule::Rmsprop] {
        let learning_rate = if rule == Rule::Adagrad { 0.05 } else { 0.01 };
        let own = (0..10).map(|seed| {
            let optimizer = Optimizer { rule, learning_rate };
            let options = FitOptions { optimizer, epochs: 15, batch_size: 32, seed };
            let fitted = fit::<f32, TrainError>(&layers, train, None, &options, |_| Ok(()));
            accuracy(&fitted.unwrap().0, test).unwrap()
        });
        let own = own.sum::<f64>() / 10.0;
        let theirs: Vec<f64> = list(&case["accuracy"][rule.to_string()]);
        let theirs = theirs.iter().sum::<f64>() / 10.0;
        // Ten seeds of 80 examples: the means scatter by about 0.01.
        assert!((own - theirs).abs() < 0.04, "{rule}: {own}, Keras {theirs}");
    }
}
