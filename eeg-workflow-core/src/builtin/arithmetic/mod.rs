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
        .block(blocks::Operation::new("Addition", "AddSub", add))?
        .block(blocks::Operation::new("Subtraction", "AddSub", subtract))?
        .block(blocks::Operation::new("Multiplication", "MultiDiv", multiply))?
        .block(blocks::Operation::new("Division", "MultiDiv", divide))?
        .block(blocks::Constant::new())?;
    #[cfg(feature = "plots")]
    let module = module.block(plot::Plot::new())?;
    Ok(module)
}
