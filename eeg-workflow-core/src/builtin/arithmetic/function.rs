//! The names that an expression may use: NumPy's and `math`'s functions of floats, and constants.

use std::f64::consts;

/// What a call does to its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    Unary(fn(f64) -> f64),
    Binary(fn(f64, f64) -> f64),
    /// Two arguments or more, from left to right.
    Fold(fn(f64, f64) -> f64),
}

use Function::{Binary, Fold, Unary};

impl Function {
    pub(super) fn takes(self, arguments: usize) -> bool {
        match self {
            Unary(_) => arguments == 1,
            Binary(_) => arguments == 2,
            Fold(_) => arguments >= 2,
        }
    }
}

/// The constant of this name (without `np.` in front).
pub(super) fn constant(name: &str) -> Option<f64> {
    Some(match name {
        "pi" => consts::PI,
        "e" => consts::E,
        "tau" => consts::TAU,
        "inf" => f64::INFINITY,
        "nan" => f64::NAN,
        "euler_gamma" => 0.577_215_664_901_532_9,
        _ => return None,
    })
}

/// The functions of this name: one for each count of arguments that it takes.
pub(super) fn functions(name: &str) -> &'static [Function] {
    match name {
        "sin" => &[Unary(f64::sin)],
        "cos" => &[Unary(f64::cos)],
        "tan" => &[Unary(f64::tan)],
        "arcsin" | "asin" => &[Unary(f64::asin)],
        "arccos" | "acos" => &[Unary(f64::acos)],
        "arctan" | "atan" => &[Unary(f64::atan)],
        "arctan2" | "atan2" => &[Binary(f64::atan2)],
        "sinh" => &[Unary(f64::sinh)],
        "cosh" => &[Unary(f64::cosh)],
        "tanh" => &[Unary(f64::tanh)],
        "arcsinh" | "asinh" => &[Unary(f64::asinh)],
        "arccosh" | "acosh" => &[Unary(f64::acosh)],
        "arctanh" | "atanh" => &[Unary(f64::atanh)],
        "sinc" => &[Unary(sinc)],
        "hypot" => &[Binary(f64::hypot)],
        "degrees" | "rad2deg" => &[Unary(|x| x * (180.0 / consts::PI))],
        "radians" | "deg2rad" => &[Unary(|x| x * (consts::PI / 180.0))],
        "exp" => &[Unary(f64::exp)],
        "expm1" => &[Unary(f64::exp_m1)],
        "exp2" => &[Unary(f64::exp2)],
        "log" => &[Unary(f64::ln), Binary(|x, base| x.ln() / base.ln())],
        "log2" => &[Unary(f64::log2)],
        "log10" => &[Unary(f64::log10)],
        "log1p" => &[Unary(f64::ln_1p)],
        "sqrt" => &[Unary(f64::sqrt)],
        "cbrt" => &[Unary(f64::cbrt)],
        "square" => &[Unary(|x| x * x)],
        "power" | "pow" => &[Binary(f64::powf)],
        "abs" | "absolute" | "fabs" => &[Unary(f64::abs)],
        "sign" => &[Unary(sign)],
        "floor" => &[Unary(f64::floor)],
        "ceil" => &[Unary(f64::ceil)],
        "trunc" | "fix" => &[Unary(f64::trunc)],
        "rint" => &[Unary(f64::round_ties_even)],
        "round" | "around" => &[Unary(f64::round_ties_even), Binary(round)],
        "mod" | "remainder" => &[Binary(modulo)],
        "fmod" => &[Binary(|a, b| a % b)],
        "copysign" => &[Binary(f64::copysign)],
        "maximum" => &[Binary(maximum)],
        "minimum" => &[Binary(minimum)],
        "max" => &[Fold(maximum)],
        "min" => &[Fold(minimum)],
        "heaviside" => &[Binary(heaviside)],
        _ => &[],
    }
}

/// Python's `a % b`: the result has the sign of `b`. By zero it is NaN, as in NumPy.
pub(super) fn modulo(a: f64, b: f64) -> f64 {
    let rest = a % b;
    if rest == 0.0 {
        0.0_f64.copysign(b)
    } else if (rest < 0.0) != (b < 0.0) {
        rest + b
    } else {
        rest
    }
}

/// Python's `a // b`, consistent with [`modulo`]. By zero it is infinite or NaN, as in NumPy.
pub(super) fn floor_divide(a: f64, b: f64) -> f64 {
    if b == 0.0 {
        return a / b;
    }
    let rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return 0.0_f64.copysign(a / b);
    }
    // The quotient is a whole number but for rounding.
    let floor = quotient.floor();
    if quotient - floor > 0.5 { floor + 1.0 } else { floor }
}

/// NumPy's: sin(πx) / (πx).
fn sinc(x: f64) -> f64 {
    let y = consts::PI * if x == 0.0 { 1e-20 } else { x };
    y.sin() / y
}

fn sign(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() { x.abs() } else { x.signum() }
}

/// NumPy's rounding to some decimals (before the point if there are less than none).
fn round(x: f64, decimals: f64) -> f64 {
    let scale = 10_f64.powf(decimals.abs().trunc());
    if decimals < 0.0 {
        (x / scale).round_ties_even() * scale
    } else {
        (x * scale).round_ties_even() / scale
    }
}

/// NaN if either is.
fn maximum(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

fn minimum(a: f64, b: f64) -> f64 {
    if a.is_nan() || a <= b { a } else { b }
}

fn heaviside(x: f64, at_zero: f64) -> f64 {
    if x.is_nan() {
        x
    } else if x == 0.0 {
        at_zero
    } else if x < 0.0 {
        0.0
    } else {
        1.0
    }
}
