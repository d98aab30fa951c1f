//! Networks: gradients, optimisers, training that is the same on any number of threads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use eeg_workflow_core::eeg::network::*;
use ndarray::{Array1, Array2};

/// Numbers that look random, from -1 to 1 (a linear congruential generator).
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(2862933555777941757).wrapping_add(3037000493);
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Two classes whose means differ, samples x features, and their classes.
fn blobs(samples: usize, features: usize, distance: f64, seed: u64) -> (Array2<f64>, Vec<usize>) {
    let mut noise = noise(seed);
    let classes: Vec<usize> = (0..samples).map(|i| i % 2).collect();
    let values = Array2::from_shape_fn((samples, features), |(i, j)| {
        let sign = if (classes[i] + j).is_multiple_of(2) { 1.0 } else { -1.0 };
        noise() + sign * distance
    });
    (values, classes)
}

fn chain(layers: &[(usize, Activation, f64)]) -> LayerChain {
    layers.iter().fold(LayerChain::default(), |chain, (units, activation, dropout)| {
        chain.with(Layer::new(*units, *activation, *dropout).unwrap())
    })
}

/// A network with biases other than 0.
fn network(inputs: usize, chain: &LayerChain, seed: u64) -> Network<f64> {
    let mut noise = noise(seed);
    let start = Network::<f64>::glorot_uniform(inputs, chain, seed).unwrap();
    let layers = start.layers().iter().map(|layer| DenseLayer {
        bias: Array1::from_shape_fn(layer.bias.len(), |_| 0.1 * noise()),
        ..layer.clone()
    });
    Network::new(layers.collect()).unwrap()
}

fn loss(network: &Network<f64>, features: &Array2<f64>, classes: &[usize]) -> f64 {
    loss_and_gradient(network, features.view(), classes).unwrap().0
}

#[test]
fn gradients_are_those_of_finite_differences_for_every_activation() {
    for activation in Activation::ALL {
        for last in [Activation::Softmax, Activation::Sigmoid] {
            let chain = chain(&[(5, activation, 0.0), (4, activation, 0.0), (3, last, 0.0)]);
            let network = network(6, &chain, 3);
            let (features, _) = blobs(7, 6, 0.5, 4);
            let classes = [0, 1, 2, 1, 0, 2, 2];
            let (_, gradients) = loss_and_gradient(&network, features.view(), &classes).unwrap();
            let largest = gradients
                .iter()
                .flat_map(|g| g.weights.iter())
                .fold(0.0_f64, |m, g| m.max(g.abs()));
            assert!(largest > 1e-3);
            let mut compared = 0;
            for (place, gradient) in gradients.iter().enumerate() {
                let difference = |change: &dyn Fn(&mut DenseLayer<f64>, f64)| {
                    let at = |h: f64| {
                        let mut layers = network.layers().to_vec();
                        change(&mut layers[place], h);
                        loss(&Network::new(layers).unwrap(), &features, &classes)
                    };
                    // Of the fourth order: its own error is about 1e-11.
                    let h = 1e-3;
                    (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
                };
                let mut check = |own: f64, expected: f64| {
                    compared += 1;
                    let scale = largest.max(own.abs());
                    assert!(
                        (own - expected).abs() <= 1e-6 * scale,
                        "{activation} {last} layer {place}: {own} {expected}"
                    );
                };
                for ((i, j), own) in gradient.weights.indexed_iter() {
                    check(*own, difference(&|layer, h| layer.weights[(i, j)] += h));
                }
                for (j, own) in gradient.bias.indexed_iter() {
                    check(*own, difference(&|layer, h| layer.bias[j] += h));
                }
            }
            assert_eq!(compared, 6 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3);
        }
    }
}

#[test]
fn a_layer_of_many_pieces_has_the_gradient_of_one() {
    // 70,000 inputs x 3 units are more than one piece; the product can be written down.
    let inputs = 70_000;
    let mut noise = noise(9);
    let features = Array2::from_shape_fn((4, inputs), |_| noise() * 0.01);
    let chain = chain(&[(3, Activation::Softmax, 0.0)]);
    let network = network(inputs, &chain, 5);
    let classes = [0, 1, 2, 2];
    let (_, gradients) = loss_and_gradient(&network, features.view(), &classes).unwrap();
    let layer = &network.layers()[0];
    let outputs = network.predict(features.view()).unwrap();
    for row in 0..4 {
        let sums: Vec<f64> = (0..3)
            .map(|j| {
                (0..inputs).map(|i| features[(row, i)] * layer.weights[(i, j)]).sum::<f64>()
                    + layer.bias[j]
            })
            .collect();
        let total: f64 = sums.iter().map(|s| s.exp()).sum();
        for j in 0..3 {
            assert!((outputs[(row, j)] - sums[j].exp() / total).abs() < 1e-12);
        }
    }
    for i in [0, 1, 21_844, 21_845, 43_691, 69_999] {
        for j in 0..3 {
            let expected: f64 = (0..4)
                .map(|row| {
                    features[(row, i)]
                        * (outputs[(row, j)] - f64::from(u8::from(classes[row] == j)))
                        / 4.0
                })
                .sum();
            assert!((gradients[0].weights[(i, j)] - expected).abs() < 1e-14);
        }
    }
}

#[test]
fn one_step_of_each_optimizer_is_its_formula() {
    let mut noise = noise(1);
    for rule in [Rule::Adam, Rule::Adagrad, Rule::Rmsprop] {
        let optimizer = Optimizer { rule, learning_rate: 0.01 };
        let mut weights: Vec<f64> = (0..50).map(|_| noise()).collect();
        let (mut first, mut second) = (vec![0.0; 50], vec![optimizer.initial(); 50]);
        let (mut w, mut m, mut v) = (weights.clone(), first.clone(), second.clone());
        for t in 1..=5_i32 {
            let gradient: Vec<f64> = (0..50).map(|_| noise() * 10_f64.powi(t - 4)).collect();
            optimizer.step(t as u64, &mut weights, &gradient, &mut first, &mut second);
            for i in 0..50 {
                let g = gradient[i];
                w[i] -= match rule {
                    Rule::Adam => {
                        m[i] = 0.9 * m[i] + 0.1 * g;
                        v[i] = 0.999 * v[i] + 0.001 * g * g;
                        let (b1, b2) = (0.9_f64.powi(t), 0.999_f64.powi(t));
                        0.01 * (1.0 - b2).sqrt() / (1.0 - b1) * m[i] / (v[i].sqrt() + 1e-7)
                    }
                    Rule::Adagrad => {
                        v[i] += g * g;
                        0.01 * g / (v[i] + 1e-7).sqrt()
                    }
                    _ => {
                        v[i] = 0.9 * v[i] + 0.1 * g * g;
                        0.01 * g / (v[i] + 1e-7).sqrt()
                    }
                };
                assert!((weights[i] - w[i]).abs() <= 1e-12, "{rule} step {t}");
            }
        }
    }
}

fn fitted<F: Real>(
    threads: usize,
    seed: u64,
    layers: &LayerChain,
    features: &Array2<F>,
    classes: &[usize],
) -> (Network<F>, History) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let examples = Examples { features: features.view(), classes };
    let optimizer = Optimizer::new(Rule::Adam);
    let options = FitOptions { optimizer, epochs: 3, batch_size: 32, seed };
    pool.install(|| fit::<F, TrainError>(layers, examples, Some(examples), &options, |_| Ok(())))
        .unwrap()
}

#[test]
fn one_seed_gives_the_same_bits_on_any_number_of_threads() {
    let (features, classes) = blobs(75, 3000, 0.02, 8);
    let features = features.mapv(|v| v as f32);
    let layers = chain(&[
        (64, Activation::Relu, 0.3),
        (32, Activation::Elu, 0.1),
        (2, Activation::Softmax, 0.0),
    ]);
    let one = fitted(1, 5, &layers, &features, &classes);
    for threads in [2, 3, 7] {
        assert_eq!(fitted(threads, 5, &layers, &features, &classes), one, "{threads} threads");
    }
    assert_ne!(fitted(1, 6, &layers, &features, &classes).0, one.0);
}

#[test]
fn training_learns_what_can_be_learned_and_tells_how_far_it_is() {
    let (features, classes) = blobs(200, 20, 0.6, 2);
    let (train, test) =
        (features.slice(ndarray::s![..150, ..]), features.slice(ndarray::s![150.., ..]));
    let train = Examples { features: train, classes: &classes[..150] };
    let test = Examples { features: test, classes: &classes[150..] };
    let layers = chain(&[(16, Activation::Relu, 0.2), (2, Activation::Softmax, 0.0)]);
    for rule in [Rule::Adam, Rule::Adagrad, Rule::Rmsprop] {
        let learning_rate = if rule == Rule::Adagrad { 0.1 } else { 0.01 };
        let options = FitOptions {
            optimizer: Optimizer { rule, learning_rate },
            epochs: 20,
            batch_size: 32,
            seed: 1,
        };
        let mut seen = Vec::new();
        let report = |progress: Progress| {
            seen.push(progress);
            Ok::<(), TrainError>(())
        };
        let (network, history) = fit(&layers, train, Some(test), &options, report).unwrap();
        assert!(accuracy(&network, test).unwrap() > 0.95, "{rule}");
        assert!(history[19].loss < history[0].loss * 0.5);
        assert_eq!(history[19].validation.unwrap().1, accuracy(&network, test).unwrap());
        // 150 examples are 5 batches, the last of 22.
        assert_eq!(seen.len(), 100);
        assert!(seen.iter().enumerate().all(|(i, p)| (p.batches, p.of) == (i + 1, 100)));
        let finished: Vec<_> = seen.iter().filter_map(|p| p.finished).collect();
        assert_eq!(finished.iter().map(|(_, metrics)| *metrics).collect::<Vec<_>>(), history);
        assert_eq!(finished.last().unwrap().0, 20);
    }
}

#[test]
fn one_layer_feeding_two_leaves_both_as_they_were_described() {
    let start = chain(&[(8, Activation::Relu, 0.0)]);
    let two = start.with(Layer::new(2, Activation::Softmax, 0.0).unwrap());
    let three = start.with(Layer::new(3, Activation::Softmax, 0.0).unwrap());
    assert_eq!(start.layers().len(), 1);
    let (features, classes) = blobs(40, 4, 0.5, 3);
    let alone = fitted(
        1,
        1,
        &chain(&[(8, Activation::Relu, 0.0), (2, Activation::Softmax, 0.0)]),
        &features,
        &classes,
    );
    let three = fitted(1, 1, &three, &features, &classes);
    let two = fitted(1, 1, &two, &features, &classes);
    assert_eq!(two, alone);
    assert_eq!((two.0.outputs(), three.0.outputs()), (2, 3));
}

#[test]
fn activations_are_known_by_their_names() {
    for activation in Activation::ALL {
        assert_eq!(activation.name().parse::<Activation>(), Ok(activation));
    }
    assert_eq!("leaky_relu".parse(), Ok(Activation::LeakyRelu));
    let unknown = "tanhh".parse::<Activation>().unwrap_err().to_string();
    assert!(unknown.contains("tanhh") && unknown.contains("leaky-relu"), "{unknown}");
}

#[test]
fn what_cannot_be_trained_is_refused_with_the_reason() {
    let (features, classes) = blobs(20, 4, 0.5, 3);
    let options =
        FitOptions { optimizer: Optimizer::new(Rule::Adam), epochs: 1, batch_size: 32, seed: 1 };
    let fails = |layers: &LayerChain, classes: &[usize], options: FitOptions| {
        let examples = Examples { features: features.view(), classes };
        fit::<f64, TrainError>(layers, examples, None, &options, |_| Ok(()))
            .unwrap_err()
            .to_string()
    };
    let fine = chain(&[(2, Activation::Softmax, 0.0)]);
    assert_eq!(fails(&LayerChain::default(), &classes, options), "the network has no layers");
    assert!(
        fails(&chain(&[(2, Activation::Relu, 0.0)]), &classes, options)
            .contains("relu: it must be softmax")
    );
    assert!(fails(&fine, &[2; 20], options).contains("class 2"));
    assert!(fails(&fine, &classes[1..], options).contains("20 samples, but 19 classes"));
    assert!(fails(&fine, &[], options).contains("no examples"));
    assert!(fails(&fine, &classes, FitOptions { batch_size: 0, ..options }).contains("batch size"));
    let huge = Optimizer { rule: Rule::Adam, learning_rate: f64::INFINITY };
    assert!(
        fails(&fine, &classes, FitOptions { optimizer: huge, epochs: 5, ..options })
            .contains("learning rate")
    );
    let wide = chain(&[
        (65_536, Activation::Relu, 0.0),
        (65_536, Activation::Relu, 0.0),
        (2, Activation::Softmax, 0.0),
    ]);
    assert!(fails(&wide, &classes, options).contains("weights"));
    assert!(Layer::new(0, Activation::Relu, 0.0).is_err());
    assert!(Layer::new(5, Activation::Relu, 1.5).unwrap_err().to_string().contains("from 0 to 1"));
    assert!(Layer::new(5, Activation::Relu, f64::NAN).is_err());
}

#[test]
fn an_error_of_the_observer_ends_the_training() {
    #[derive(Debug, PartialEq)]
    enum Own {
        Train(String),
        Enough,
    }
    impl From<TrainError> for Own {
        fn from(error: TrainError) -> Self {
            Self::Train(error.to_string())
        }
    }
    let (features, classes) = blobs(100, 4, 0.5, 3);
    let examples = Examples { features: features.view(), classes: &classes };
    let options =
        FitOptions { optimizer: Optimizer::new(Rule::Adam), epochs: 50, batch_size: 32, seed: 1 };
    let mut calls = 0;
    let stopped = fit(&chain(&[(2, Activation::Softmax, 0.0)]), examples, None, &options, |_| {
        calls += 1;
        if calls == 3 { Err(Own::Enough) } else { Ok(()) }
    });
    assert_eq!(stopped.unwrap_err(), Own::Enough);
    assert_eq!(calls, 3);
}
