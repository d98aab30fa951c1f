//! Gaps: samples that are NaN or infinite. A transform of a whole signal would spread each of them
//! over all of it, so they are taken out before, and what depends on them is marked after.

/// Puts 0 for the gaps of a signal, and gives where they are.
pub(super) fn zero_gaps(signal: &mut [f64]) -> Vec<usize> {
    let gaps = signal.iter_mut().enumerate().filter(|(_, value)| !value.is_finite());
    gaps.map(|(place, value)| {
        *value = 0.0;
        place
    })
    .collect()
}

/// Draws a straight line over each gap from the sample before to the one behind, level at the
/// signal's ends, and gives where the gaps are.
pub(super) fn bridge_gaps(signal: &mut [f64]) -> Vec<usize> {
    let mut gaps = Vec::new();
    let mut place = 0;
    while place < signal.len() {
        let rest = signal.get(place..).unwrap_or(&[]);
        let length = rest.iter().take_while(|value| !value.is_finite()).count();
        if length > 0 {
            let before = place.checked_sub(1).and_then(|before| signal.get(before).copied());
            let behind = signal.get(place + length).copied();
            let start = before.or(behind).unwrap_or(0.0);
            let slope = (behind.unwrap_or(start) - start) / (length + 1) as f64;
            let gap = signal.get_mut(place..place + length).unwrap_or_default();
            for (step, value) in (1..).zip(gap) {
                *value = start + slope * f64::from(step);
            }
            gaps.extend(place..place + length);
        }
        place += length + 1;
    }
    gaps
}

/// Makes NaN of what a direct convolution with a kernel of this reach makes NaN of.
pub(super) fn spoil(signal: &mut [f64], gaps: &[usize], reach: usize) {
    let mut done = 0;
    for gap in gaps {
        let end = (gap + reach + 1).min(signal.len());
        let start = gap.saturating_sub(reach).max(done).min(end);
        signal.get_mut(start..end).unwrap_or_default().fill(f64::NAN);
        done = end;
    }
}

/// The parts of stretches (samples from and to) without gaps.
pub(super) fn without_gaps(signal: &[f64], stretches: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    for (from, to) in stretches {
        let mut start = *from;
        for place in *from..=*to {
            let value = signal.get(place).filter(|_| place < *to);
            if !value.is_some_and(|value| value.is_finite()) {
                if place > start {
                    parts.push((start, place));
                }
                start = place + 1;
            }
        }
    }
    parts
}
