//! The floats that networks are computed in.

use ndarray::NdFloat;

/// `f32` or `f64`.
pub trait Real: NdFloat + Default {
    /// The nearest value of this type.
    fn of(value: f64) -> Self;

    /// The value as `f64`, which holds it exactly.
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as Self
    }

    fn wide(self) -> f64 {
        self.into()
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }

    fn wide(self) -> f64 {
        self
    }
}

/// The error function, to 2e-15 of its value: its series
/// `2/√π · e^(-x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))`, whose terms all have one sign
/// (Abramowitz and Stegun 7.1.6). From 6 on it is 1.
pub(super) fn erf(x: f64) -> f64 {
    if x.abs() >= 6.0 {
        return x.signum();
    }
    let mut term = x;
    let mut sum = x;
    let mut odd = 1.0;
    while term.abs() > sum.abs() * 1e-17 {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::erf;

    #[test]
    fn the_error_function_is_that_of_scipy() {
        // scipy.special.erf
        for (x, expected) in [
            (0.0, 0.0),
            (1e-10, 1.1283791670955126e-10),
            (0.5, 0.5204998778130465),
            (-1.0, -0.8427007929497148),
            (2.5, 0.999593047982555),
            (4.0, 0.9999999845827421),
            (7.0, 1.0),
        ] {
            assert!((erf(x) - expected).abs() <= 2e-15 * expected.abs(), "{x}: {}", erf(x));
        }
        assert!(erf(f64::NAN).is_nan());
    }
}
