//! Splitting data into parts, index for index as scikit-learn does it.

/// A split that cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The share of test data is not between 0 and 1.
    #[error("a test size of {test_size} is not between 0 and 1 (both excluded)")]
    TestSize {
        /// The share that was asked for.
        test_size: f64,
    },
    /// Nothing would be left to train on.
    #[error("{samples} samples with a test size of {test_size} leave nothing to train on")]
    EmptyTrainingSet {
        /// How many samples there are.
        samples: usize,
        /// The share that was asked for.
        test_size: f64,
    },
    /// Fewer than two folds.
    #[error("{folds} folds: at least 2 are needed")]
    TooFewFolds {
        /// How many were asked for.
        folds: usize,
    },
    /// A class that cannot be in every fold.
    #[error("{folds} folds, but class {class} has {members} members only")]
    ClassTooSmall {
        /// How many folds were asked for.
        folds: usize,
        /// The class with too few members.
        class: usize,
        /// How many members it has.
        members: usize,
    },
}

/// Indices of samples to train on and to test on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The samples to train on, in the order in which they are to be used.
    pub train: Vec<usize>,
    /// The samples to test on.
    pub test: Vec<usize>,
}

/// Splits `samples` samples at random, without stratification, index for index as
/// `sklearn.model_selection.train_test_split(…, test_size=test_size, random_state=seed)`.
///
/// ```
/// use eeg_workflow_core::eeg::train_test_split;
///
/// let split = train_test_split(10, 0.33, 42)?;
/// assert_eq!(split.test, [8, 1, 5, 0]);
/// assert_eq!(split.train, [7, 2, 9, 4, 3, 6]);
/// # Ok::<(), eeg_workflow_core::eeg::SplitError>(())
/// ```
///
/// # Errors
/// [`SplitError::TestSize`] and [`SplitError::EmptyTrainingSet`].
pub fn train_test_split(samples: usize, test_size: f64, seed: u32) -> Result<Split, SplitError> {
    if !(test_size > 0.0 && test_size < 1.0) {
        return Err(SplitError::TestSize { test_size });
    }
    let test_count = (test_size * samples as f64).ceil() as usize;
    if test_count >= samples {
        return Err(SplitError::EmptyTrainingSet { samples, test_size });
    }
    let mut test: Vec<usize> = (0..samples).collect();
    Mt19937::new(seed).shuffle(&mut test);
    let train = test.split_off(test_count);
    Ok(Split { train, test })
}

/// Splits samples into `folds` parts in each of which every class is as frequent as in the
/// whole, and gives each part once as the one to test on: index for index as
/// `sklearn.model_selection.StratifiedKFold(n_splits=folds)`, with `shuffle=True,
/// random_state=seed` if a seed is given. `classes` holds the class of each sample.
///
/// Unlike scikit-learn, which only warns of it, this is an error when the smallest class has
/// fewer members than there are folds: a fold without it cannot be scored.
///
/// # Errors
/// [`SplitError::TooFewFolds`] and [`SplitError::ClassTooSmall`].
pub fn stratified_k_fold(
    classes: &[usize],
    folds: usize,
    seed: Option<u32>,
) -> Result<Vec<Split>, SplitError> {
    if folds < 2 {
        return Err(SplitError::TooFewFolds { folds });
    }
    // Classes are numbered by their first appearance.
    let mut seen: Vec<usize> = Vec::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (sample, class) in classes.iter().enumerate() {
        let place = seen.iter().position(|c| c == class).unwrap_or(seen.len());
        if place == seen.len() {
            seen.push(*class);
            members.push(Vec::new());
        }
        if let Some(of_class) = members.get_mut(place) {
            of_class.push(sample);
        }
    }
    let small = seen.iter().zip(&members).find(|(_, of_class)| of_class.len() < folds);
    if let Some((class, of_class)) = small {
        return Err(SplitError::ClassTooSmall { folds, class: *class, members: of_class.len() });
    }
    let mut random = seed.map(Mt19937::new);
    let mut fold_of = vec![0; classes.len()];
    let mut start = 0;
    for of_class in &members {
        // The sorted classes are dealt out to the folds like cards; what a fold gets of one
        // class goes to consecutive members.
        let mut dealt = vec![0_usize; folds];
        for position in start..start + of_class.len() {
            if let Some(count) = dealt.get_mut(position % folds) {
                *count += 1;
            }
        }
        start += of_class.len();
        let mut folds_of_class: Vec<usize> = dealt
            .iter()
            .enumerate()
            .flat_map(|(fold, count)| std::iter::repeat_n(fold, *count))
            .collect();
        if let Some(random) = &mut random {
            random.shuffle(&mut folds_of_class);
        }
        for (sample, fold) in of_class.iter().zip(folds_of_class) {
            if let Some(place) = fold_of.get_mut(*sample) {
                *place = fold;
            }
        }
    }
    let split = |fold: usize| {
        let (test, train) = (0..classes.len()).partition(|s| fold_of.get(*s) == Some(&fold));
        Split { train, test }
    };
    Ok((0..folds).map(split).collect())
}

/// The Mersenne Twister of Matsumoto and Nishimura (1998), as `numpy.random.RandomState` uses it.
struct Mt19937 {
    state: [u32; Self::N],
    next: usize,
}

impl Mt19937 {
    const N: usize = 624;
    const M: usize = 397;

    /// `init_genrand`.
    fn new(seed: u32) -> Self {
        let mut state = [0; Self::N];
        let mut last = seed;
        for (i, word) in (0_u32..).zip(&mut state) {
            if i > 0 {
                last = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i);
            }
            *word = last;
        }
        Self { state, next: Self::N }
    }

    /// The next 32 bits.
    fn word(&mut self) -> u32 {
        if self.next == Self::N {
            self.twist();
            self.next = 0;
        }
        let mut y = self.state.get(self.next).copied().unwrap_or_default();
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    #[expect(clippy::indexing_slicing, reason = "all indices are taken modulo the length")]
    fn twist(&mut self) {
        for k in 0..Self::N {
            let high = self.state[k] & 0x8000_0000;
            let low = self.state[(k + 1) % Self::N] & 0x7fff_ffff;
            let y = high | low;
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[k] = self.state[(k + Self::M) % Self::N] ^ (y >> 1) ^ odd;
        }
    }

    /// A number from 0 to `limit`, both included: words under the least mask of ones that
    /// covers the limit, until one is not above it.
    fn up_to(&mut self, limit: usize) -> usize {
        let mask = usize::MAX.checked_shr(limit.leading_zeros()).unwrap_or(0);
        loop {
            let low = self.word() as usize;
            let wide = u32::try_from(limit).is_err();
            let word = if wide { (low << 31 << 1) | self.word() as usize } else { low };
            if word & mask <= limit {
                return word & mask;
            }
        }
    }

    /// Puts items in random order, as `RandomState.shuffle` and `RandomState.permutation`.
    fn shuffle(&mut self, items: &mut [usize]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.up_to(last));
        }
    }
}
