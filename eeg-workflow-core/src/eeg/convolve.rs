//! Fast convolution with a symmetric kernel (overlap-save).

use std::sync::Arc;

use rayon::prelude::*;
use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// A symmetric kernel of odd length, ready to be applied to signals of one length.
///
/// Signals go through the FFT in blocks of one size; of each block the outputs that the kernel
/// lies wholly inside of are kept (Stockham 1966, "overlap-save"). So only those samples are
/// transformed that some output needs, and blocks can be done in parallel.
pub(super) struct Convolver {
    taps: usize,
    /// Outputs a block.
    step: usize,
    /// Spectrum of the kernel around 0, which is real, divided by the block's size.
    response: Vec<f64>,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

/// What one block needs while it is transformed.
struct Buffers {
    signal: Vec<f64>,
    spectrum: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Convolver {
    /// For signals of `n` samples or fewer.
    pub(super) fn new(kernel: &[f64], n: usize) -> Self {
        // From any sample to the farthest one of the signal with its reflections.
        let (half, reach) = (kernel.len() / 2, 2 * n.saturating_sub(1));
        let kernel = kernel.get(half - half.min(reach)..=half + half.min(reach)).unwrap_or(kernel);
        let size = block_size(n, kernel.len());
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(size);
        let inverse = planner.plan_fft_inverse(size);
        let mut convolver = Self {
            taps: kernel.len(),
            step: size + 1 - kernel.len(),
            response: Vec::new(),
            forward,
            inverse,
        };
        let mut buffers = convolver.buffers();
        let (left, right) = kernel.split_at(kernel.len() / 2);
        let slots = buffers.signal.iter_mut();
        slots.zip(right).for_each(|(slot, tap)| *slot = tap / size as f64);
        let slots = buffers.signal.iter_mut().rev();
        slots.zip(left.iter().rev()).for_each(|(slot, tap)| *slot = tap / size as f64);
        convolver.transform(&mut buffers);
        convolver.response = buffers.spectrum.iter().map(|value| value.re).collect();
        convolver
    }

    fn buffers(&self) -> Buffers {
        let scratch = self.forward.get_scratch_len().max(self.inverse.get_scratch_len());
        Buffers {
            signal: self.forward.make_input_vec(),
            spectrum: self.forward.make_output_vec(),
            scratch: vec![Complex64::default(); scratch],
        }
    }

    /// Signal to spectrum. The lengths fit, which is all that could fail.
    fn transform(&self, Buffers { signal, spectrum, scratch }: &mut Buffers) {
        let _ = self.forward.process_with_scratch(signal, spectrum, scratch);
    }

    /// Replaces `signal` by its convolution with the kernel, centred, after the signal was
    /// continued at both ends by its odd reflection (`2x[0] - x[k]`): as far as it reaches,
    /// zeros behind (MNE's `pad="reflect_limited"`). `parallel` says whether blocks are worth
    /// doing side by side.
    pub(super) fn apply(&self, signal: &mut [f64], workspace: &mut Workspace, parallel: bool) {
        let half = (self.taps - 1) / 2;
        let Workspace { before, after, buffers } = workspace;
        mirror(signal, half, before, after);
        if parallel {
            let extended = [before.as_slice(), signal, after.as_slice()].concat();
            let blocks = signal.par_chunks_mut(self.step).enumerate();
            blocks.for_each_init(
                || self.buffers(),
                |buffers, (block, out)| {
                    fill(&mut buffers.signal, [extended.get(block * self.step..).unwrap_or(&[])]);
                    self.block(out, buffers);
                },
            );
            return;
        }
        let buffers = buffers.get_or_insert_with(|| self.buffers());
        for start in (0..signal.len()).step_by(self.step) {
            // Outputs take the place of inputs: those that the next block needs are kept.
            let here = signal.get(start..).unwrap_or(&[]);
            fill(&mut buffers.signal, [before, here, after]);
            let kept = buffers.signal.get(self.step..self.step + half).unwrap_or(&[]);
            before.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
            let end = signal.len().min(start + self.step);
            self.block(signal.get_mut(start..end).unwrap_or_default(), buffers);
        }
    }

    /// The outputs of the block whose inputs are in the buffers.
    fn block(&self, out: &mut [f64], buffers: &mut Buffers) {
        self.transform(buffers);
        let Buffers { signal, spectrum, scratch } = buffers;
        for (value, factor) in spectrum.iter_mut().zip(&self.response) {
            *value *= *factor;
        }
        let _ = self.inverse.process_with_scratch(spectrum, signal, scratch);
        let valid = signal.get(self.taps / 2..).unwrap_or(&[]);
        out.iter_mut().zip(valid).for_each(|(out, value)| *out = *value);
    }
}

/// Puts the parts one behind the other, as much as there is room for, and zeros behind them.
fn fill<const PARTS: usize>(mut to: &mut [f64], parts: [&[f64]; PARTS]) {
    for part in parts {
        let there = part.len().min(to.len());
        let (filled, rest) = to.split_at_mut(there);
        filled.copy_from_slice(part.get(..there).unwrap_or(&[]));
        to = rest;
    }
    to.fill(0.0);
}

/// Memory that signals of one length are convolved in, one after the other.
#[derive(Default)]
pub(super) struct Workspace {
    /// What comes before the samples at hand.
    before: Vec<f64>,
    /// What comes behind the signal's end.
    after: Vec<f64>,
    buffers: Option<Buffers>,
}

/// The `half` samples before and behind a signal: its odd reflection as far as it reaches, else
/// zeros.
fn mirror(signal: &[f64], half: usize, before: &mut Vec<f64>, after: &mut Vec<f64>) {
    before.clear();
    after.clear();
    let (Some(first), Some(last)) = (signal.first(), signal.last()) else {
        return;
    };
    let mirrored = half.min(signal.len() - 1);
    before.resize(half - mirrored, 0.0);
    let start = signal.get(1..=mirrored).unwrap_or(&[]);
    before.extend(start.iter().rev().map(|x| 2.0 * first - x));
    let end = signal.get(signal.len() - 1 - mirrored..signal.len() - 1).unwrap_or(&[]);
    after.extend(end.iter().rev().map(|x| 2.0 * last - x));
    after.resize(half, 0.0);
}

/// The FFT size with which `n` outputs of a kernel of `taps` cost least.
fn block_size(n: usize, taps: usize) -> usize {
    /// Up to here signal and spectrum fit a second-level cache of 2 MiB. Measured: beyond it
    /// transforms take a third longer.
    const CACHED: usize = 100_000;
    let all = (n + taps - 1).max(2);
    let cost = |size: usize| {
        let blocks = n.div_ceil(size + 1 - taps);
        // Beside the transforms, each sample is copied, multiplied and copied back.
        let work = blocks as f64 * size as f64 * ((size as f64).log2() + 4.0);
        if size > CACHED { 1.35 * work } else { work }
    };
    let mut best = next_smooth(all);
    let mut consider = |size: usize| {
        if size > taps && size < all {
            // No longer than that number of blocks needs.
            let blocks = n.div_ceil(size + 1 - taps).max(1);
            let size = next_smooth(n.div_ceil(blocks) + taps - 1).min(size);
            if cost(size) < cost(best) {
                best = size;
            }
        }
    };
    let mut power = 64;
    while power < 2 * all {
        [power, power / 4 * 5, power / 2 * 3].into_iter().for_each(&mut consider);
        power *= 2;
    }
    best
}

/// The least even number that is not below `n` and has only the prime factors 2, 3 and 5.
pub(super) fn next_smooth(n: usize) -> usize {
    let mut best = n.max(2).next_power_of_two();
    let mut fives = 1;
    while fives < best {
        let mut threes = fives;
        while threes < best {
            let mut size = threes * 2;
            while size < n {
                size *= 2;
            }
            best = best.min(size);
            threes *= 3;
        }
        fives *= 5;
    }
    best
}
