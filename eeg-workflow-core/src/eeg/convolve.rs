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
    /// Spectrum of the kernel, divided by the block's size.
    response: Vec<Complex64>,
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
        for (slot, tap) in buffers.signal.iter_mut().zip(kernel) {
            *slot = tap / size as f64;
        }
        convolver.transform(&mut buffers);
        convolver.response = buffers.spectrum;
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
        extend(signal, (self.taps - 1) / 2, &mut workspace.extended);
        let extended = &workspace.extended;
        if parallel {
            let blocks = signal.par_chunks_mut(self.step).enumerate();
            blocks.for_each_init(
                || self.buffers(),
                |buffers, (block, out)| self.block(extended, block, out, buffers),
            );
            return;
        }
        let buffers = workspace.buffers.get_or_insert_with(|| self.buffers());
        for (block, out) in signal.chunks_mut(self.step).enumerate() {
            self.block(extended, block, out, buffers);
        }
    }

    /// The outputs of one block.
    fn block(&self, extended: &[f64], block: usize, out: &mut [f64], buffers: &mut Buffers) {
        let rest = extended.get(block * self.step..).unwrap_or(&[]);
        let there = rest.len().min(buffers.signal.len());
        let (filled, empty) = buffers.signal.split_at_mut(there);
        filled.copy_from_slice(rest.get(..there).unwrap_or(&[]));
        empty.fill(0.0);
        self.transform(buffers);
        let Buffers { signal, spectrum, scratch } = buffers;
        for (value, factor) in spectrum.iter_mut().zip(&self.response) {
            *value *= factor;
        }
        let _ = self.inverse.process_with_scratch(spectrum, signal, scratch);
        let valid = signal.get(self.taps - 1..).unwrap_or(&[]);
        out.iter_mut().zip(valid).for_each(|(out, value)| *out = *value);
    }
}

/// Memory that signals of one length are convolved in, one after the other.
#[derive(Default)]
pub(super) struct Workspace {
    extended: Vec<f64>,
    buffers: Option<Buffers>,
}

/// `signal` with `half` more samples at each end.
fn extend(signal: &[f64], half: usize, extended: &mut Vec<f64>) {
    extended.clear();
    let (Some(first), Some(last)) = (signal.first(), signal.last()) else {
        return;
    };
    let mirrored = half.min(signal.len() - 1);
    extended.reserve(signal.len() + 2 * half);
    extended.resize(half - mirrored, 0.0);
    let before = signal.get(1..=mirrored).unwrap_or(&[]);
    extended.extend(before.iter().rev().map(|x| 2.0 * first - x));
    extended.extend_from_slice(signal);
    let after = signal.get(signal.len() - 1 - mirrored..signal.len() - 1).unwrap_or(&[]);
    extended.extend(after.iter().rev().map(|x| 2.0 * last - x));
    extended.resize(signal.len() + 2 * half, 0.0);
}

/// The FFT size with which `n` outputs of a kernel of `taps` cost least.
fn block_size(n: usize, taps: usize) -> usize {
    /// Measured: beyond this the transforms leave the cache and take a third longer.
    const CACHED: usize = 1 << 18;
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
