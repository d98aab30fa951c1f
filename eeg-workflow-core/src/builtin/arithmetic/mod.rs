//! `Arithmetic.zip:Arithmetic`: constants, the four operations, and the plot of a function.

mod blocks;
mod expression;
mod function;
mod number;
#[cfg(feature = "plots")]
mod plot;

pub use expression::{Expression, ExpressionError};
pub use number::{ArithmeticError, add, divide, multiply, subtract};

use crate::module::{Module, RegistryError};

/// The module, its block types in the order in which designers list them.
///
/// # Errors
/// Two of its block types have one name; a test makes sure that none have.
pub fn module() -> Result<Module, RegistryError> {
    let module = Module::new("Arithmetic.zip:Arithmetic")
        .block(blocks::Operation::new("Addition", "AddSub", "num1 plus num2", add))?
        .block(blocks::Operation::new("Subtraction", "AddSub", "num1 minus num2", subtract))?
        .block(blocks::Operation::new("Multiplication", "MultiDiv", "num1 times num2", multiply))?
        .block(blocks::Operation::new("Division", "MultiDiv", "num1 divided by num2", divide))?
        .block(blocks::Constant::new())?;
    #[cfg(feature = "plots")]
    let module = module.block(plot::Plot::new())?;
    Ok(module)
}
