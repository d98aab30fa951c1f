//! Python's `+ - * /` on its integers of any size and its floats.

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use num_traits::{ToPrimitive, Zero};

use crate::block::{BlockError, Number};

/// Products of integers are at most this long, so that a chain of squarings cannot eat the
/// machine.
const MAX_PRODUCT_BITS: u64 = 10_000_000;

/// Why two numbers have no result. The messages are Python's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArithmeticError {
    /// An integer was divided by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A float was divided by zero, or something by the float zero.
    #[error("float division by zero")]
    FloatDivisionByZero,
    /// An integer beside a float is beyond the floats.
    #[error("int too large to convert to float")]
    IntegerTooLarge,
    /// The quotient of two integers is beyond the floats.
    #[error("integer division result too large for a float")]
    QuotientTooLarge,
    /// The product of two integers is longer than is allowed.
    #[error("integer product of {bits} bits is too large (at most {limit})")]
    ProductTooLarge {
        /// The length that it would have.
        bits: u64,
        /// The greatest length.
        limit: u64,
    },
}

impl From<ArithmeticError> for BlockError {
    fn from(error: ArithmeticError) -> Self {
        Self::from_error(error)
    }
}

/// `a + b`: exact for two integers, otherwise in floats.
///
/// # Errors
/// An integer beside a float is too large for a float.
pub fn add(a: &Number, b: &Number) -> Result<Number, ArithmeticError> {
    combine(a, b, |a, b| Ok(a + b), |a, b| a + b)
}

/// `a - b`: exact for two integers, otherwise in floats.
///
/// # Errors
/// As [`add`].
pub fn subtract(a: &Number, b: &Number) -> Result<Number, ArithmeticError> {
    combine(a, b, |a, b| Ok(a - b), |a, b| a - b)
}

/// `a * b`: exact for two integers, otherwise in floats.
///
/// # Errors
/// As [`add`], or the product would have more than ten million bits.
pub fn multiply(a: &Number, b: &Number) -> Result<Number, ArithmeticError> {
    let product = |a: &BigInt, b: &BigInt| {
        let bits = a.bits() + b.bits();
        if bits > MAX_PRODUCT_BITS {
            return Err(ArithmeticError::ProductTooLarge { bits, limit: MAX_PRODUCT_BITS });
        }
        Ok(a * b)
    };
    combine(a, b, product, |a, b| a * b)
}

/// Python's `a / b`: always a float, for two integers of any size the nearest one.
///
/// ```
/// use eeg_workflow_core::block::Number;
/// use eeg_workflow_core::builtin::arithmetic::divide;
/// let quotient = divide(&Number::Integer(7.into()), &Number::Integer(2.into()))?;
/// assert_eq!(quotient, Number::Float(3.5));
/// # Ok::<(), eeg_workflow_core::builtin::arithmetic::ArithmeticError>(())
/// ```
///
/// # Errors
/// `b` is zero, the quotient of two integers is too large for a float, or an integer beside a
/// float is.
pub fn divide(a: &Number, b: &Number) -> Result<Number, ArithmeticError> {
    if let (Number::Integer(a), Number::Integer(b)) = (a, b) {
        return divide_integers(a, b).map(Number::Float);
    }
    let (a, b) = (float(a)?, float(b)?);
    if b == 0.0 {
        return Err(ArithmeticError::FloatDivisionByZero);
    }
    Ok(Number::Float(a / b))
}

fn combine(
    a: &Number,
    b: &Number,
    integers: impl Fn(&BigInt, &BigInt) -> Result<BigInt, ArithmeticError>,
    floats: impl Fn(f64, f64) -> f64,
) -> Result<Number, ArithmeticError> {
    match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => integers(a, b).map(Number::Integer),
        (a, b) => Ok(Number::Float(floats(float(a)?, float(b)?))),
    }
}

fn float(number: &Number) -> Result<f64, ArithmeticError> {
    match number {
        Number::Float(float) => Ok(*float),
        Number::Integer(integer) => {
            let float = integer.to_f64().filter(|float| float.is_finite());
            float.ok_or(ArithmeticError::IntegerTooLarge)
        }
    }
}

/// The float nearest to `a / b`, ties to even.
///
/// As CPython's `long_true_divide`: an integer quotient of 55 or 56 bits (fewer where the
/// result is subnormal) whose last bit also says whether anything was cut off, rounded once.
fn divide_integers(a: &BigInt, b: &BigInt) -> Result<f64, ArithmeticError> {
    const DIGITS: i64 = f64::MANTISSA_DIGITS as i64;
    const MIN_EXPONENT: i64 = f64::MIN_EXP as i64;
    if b.is_zero() {
        return Err(ArithmeticError::DivisionByZero);
    }
    let negative = (a.sign() == Sign::Minus) != (b.sign() == Sign::Minus);
    let signed = |magnitude: f64| if negative { -magnitude } else { magnitude };
    let (a, b) = (a.magnitude(), b.magnitude());
    // No length of anything in memory exceeds i64.
    let bits = |n: &BigUint| i64::try_from(n.bits()).unwrap_or(i64::MAX);
    let difference = bits(a) - bits(b);
    if a.is_zero() || difference < MIN_EXPONENT - DIGITS - 1 {
        return Ok(signed(0.0));
    }
    if difference > i64::from(f64::MAX_EXP) {
        return Err(ArithmeticError::QuotientTooLarge);
    }
    let shift = difference.max(MIN_EXPONENT) - DIGITS - 2;
    let (quotient, rest) = match shift {
        0.. => a.div_rem(&(b << shift)),
        _ => (a << -shift).div_rem(b),
    };
    let quotient = quotient.to_u64().ok_or(ArithmeticError::QuotientTooLarge)?;
    let sticky = quotient | u64::from(!rest.is_zero());

    let quotient_bits = i64::from(u64::BITS - quotient.leading_zeros());
    let extra = quotient_bits.max(MIN_EXPONENT - shift) - DIGITS;
    let half = 1_u64 << (extra - 1);
    let round_up = sticky & half != 0 && sticky & (3 * half - 1) != 0;
    let rounded = (sticky + if round_up { half } else { 0 }) & !(2 * half - 1);

    // At most 53 bits are left, so both steps are exact unless the result is too large.
    let (first, second) = (shift / 2, shift - shift / 2);
    let result = rounded as f64 * power_of_two(first) * power_of_two(second);
    if result.is_infinite() {
        return Err(ArithmeticError::QuotientTooLarge);
    }
    Ok(signed(result))
}

/// 2 to the power of `exponent`, which is between -1022 and 1023.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}
