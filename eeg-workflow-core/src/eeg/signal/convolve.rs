//! Fast convolution with a symmetric kernel (overlap-save).

use std::f64::consts::PI;
use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex64;
use rustfft::{Fft, FftPlanner};

/// A symmetric kernel of odd length, ready to be applied to signals of one length.
///
/// Signals go through the FFT in blocks of one size; of each block the outputs that the kernel
/// lies wholly inside of are kept (Stockham 1966, "overlap-save"). So only those samples are
/// transformed that some output needs, and blocks can be done in parallel.
pub(super) struct Convolver {
    taps: usize,
    /// Outputs a block.
    step: usize,
    response: PackedResponse,
    forward: Arc<dyn Fft<f64>>,
    inverse: Arc<dyn Fft<f64>>,
}

/// What one block needs while it is transformed.
struct Buffers {
    /// The samples of the block, two in a complex number: half as long a transform does.
    packed: Vec<Complex64>,
    scratch: Vec<Complex64>,
}

impl Convolver {
    /// For signals of `n` samples or fewer.
    pub(super) fn new(kernel: &[f64], n: usize) -> Self {
        // From any sample to the farthest one of the signal with its reflections.
        let (half, reach) = (kernel.len() / 2, 2 * n.saturating_sub(1));
        let kernel = kernel.get(half - half.min(reach)..=half + half.min(reach)).unwrap_or(kernel);
        let size = block_size(n, kernel.len());
        let mut planner = FftPlanner::new();
        let mut convolver = Self {
            taps: kernel.len(),
            step: size + 1 - kernel.len(),
            response: PackedResponse::default(),
            forward: planner.plan_fft_forward(size / 2),
            inverse: planner.plan_fft_inverse(size / 2),
        };
        // Around 0, and divided by what the transforms there and back multiply by.
        let mut buffers = convolver.buffers();
        let (left, right) = kernel.split_at(kernel.len() / 2);
        let scaled = |tap: &f64| tap / (size / 2) as f64;
        let slots = buffers.signal().iter_mut();
        slots.zip(right).for_each(|(slot, tap)| *slot = scaled(tap));
        let slots = buffers.signal().iter_mut().rev();
        slots.zip(left.iter().rev()).for_each(|(slot, tap)| *slot = scaled(tap));
        convolver.forward.process_with_scratch(&mut buffers.packed, &mut buffers.scratch);
        convolver.response = PackedResponse::new(&buffers.packed);
        convolver
    }

    fn buffers(&self) -> Buffers {
        let (there, back) = (&self.forward, &self.inverse);
        let scratch = there.get_inplace_scratch_len().max(back.get_inplace_scratch_len());
        Buffers {
            packed: vec![Complex64::default(); there.len()],
            scratch: vec![Complex64::default(); scratch],
        }
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
                    fill(buffers.signal(), [extended.get(block * self.step..).unwrap_or(&[])]);
                    self.block(out, buffers);
                },
            );
            return;
        }
        let buffers = buffers.get_or_insert_with(|| self.buffers());
        for start in (0..signal.len()).step_by(self.step) {
            // Outputs take the place of inputs: those that the next block needs are kept.
            let here = signal.get(start..).unwrap_or(&[]);
            fill(buffers.signal(), [before, here, after]);
            let kept = buffers.signal().get(self.step..self.step + half).unwrap_or(&[]);
            before.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
            let end = signal.len().min(start + self.step);
            self.block(signal.get_mut(start..end).unwrap_or_default(), buffers);
        }
    }

    /// The outputs of the block whose inputs are in the buffers.
    fn block(&self, out: &mut [f64], buffers: &mut Buffers) {
        self.forward.process_with_scratch(&mut buffers.packed, &mut buffers.scratch);
        self.response.apply(&mut buffers.packed);
        self.inverse.process_with_scratch(&mut buffers.packed, &mut buffers.scratch);
        let valid = buffers.signal().get(self.taps / 2..).unwrap_or(&[]);
        out.iter_mut().zip(valid).for_each(|(out, value)| *out = *value);
    }
}

impl Buffers {
    /// The samples one by one.
    fn signal(&mut self) -> &mut [f64] {
        bytemuck::cast_slice_mut(&mut self.packed)
    }
}

/// What the transform of packed samples is to be changed by, so that their own spectrum is
/// multiplied by a kernel's.
///
/// Let `Z` be the transform of `x[2n] + i x[2n + 1]`, of length `m`. The spectrum of `x` is
/// `X[k] = E + wO` and `X[k + m] = E - wO`, with `E = (Z[k] + Z*[m - k]) / 2`,
/// `O = (Z[k] - Z*[m - k]) / 2i` and `w = exp(-iθ)`, `θ = πk/m`. A real and even response `R` turns
/// them into `R[k] X[k]` and `R[m - k] X[k + m]`; packed again that is
/// `Z'[k] = (s - d sin θ) Z[k] + i d cos θ Z*[m - k]`, where `s` and `d` are half the sum and half
/// the difference of `R[k]` and `R[m - k]`.
#[derive(Default)]
struct PackedResponse {
    /// `s - d sin θ`, for each `k`.
    own: Vec<f64>,
    /// `d cos θ`, which is the same for `k` and `m - k`.
    mirrored: Vec<f64>,
}

impl PackedResponse {
    /// `kernel` is the transform of the packed kernel.
    fn new(kernel: &[Complex64]) -> Self {
        let m = kernel.len();
        let angle = |k: usize| (PI * k as f64 / m as f64).sin_cos();
        let packed = |k: usize| kernel.get(k % m).copied().unwrap_or_default();
        let response: Vec<f64> = (0..=m)
            .map(|k| {
                let ((sin, cos), z, mirrored) = (angle(k), packed(k), packed(m - k));
                let even = z.re + mirrored.re;
                let odd = cos * (z.im + mirrored.im) - sin * (z.re - mirrored.re);
                (even + odd) / 2.0
            })
            .collect();
        let pairs = response.iter().zip(response.iter().rev()).take(m).enumerate();
        let factors = pairs.map(|(k, (here, there))| {
            let ((sin, cos), s, d) = (angle(k), (here + there) / 2.0, (here - there) / 2.0);
            (s - d * sin, d * cos)
        });
        let (own, mirrored) = factors.unzip();
        Self { own, mirrored }
    }

    fn apply(&self, packed: &mut [Complex64]) {
        let one = |z: Complex64, of: Complex64, own: f64, mirrored: f64| {
            Complex64::new(own * z.re + mirrored * of.im, own * z.im + mirrored * of.re)
        };
        let (Some((zero, rest)), Some((own, owns)), Some((mirrored, mirroreds))) =
            (packed.split_first_mut(), self.own.split_first(), self.mirrored.split_first())
        else {
            return;
        };
        *zero = one(*zero, *zero, *own, *mirrored);
        // From both ends to the middle, which is its own counterpart.
        let half = rest.len() / 2;
        let (left, right) = rest.split_at_mut(half);
        let right_owns = owns.iter().rev();
        let pairs = left.iter_mut().zip(right.iter_mut().rev());
        for (((a, b), (own_a, own_b)), mirrored) in
            pairs.zip(owns.iter().zip(right_owns)).zip(mirroreds)
        {
            (*a, *b) = (one(*a, *b, *own_a, *mirrored), one(*b, *a, *own_b, *mirrored));
        }
        if right.len() > half
            && let (Some(middle), Some(own), Some(mirrored)) =
                (right.first_mut(), owns.get(half), mirroreds.get(half))
        {
            *middle = one(*middle, *middle, *own, *mirrored);
        }
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
