//! The one way in which somebody else's code is called: a block's, its values', a listener's. A
//! panic in it ends that call and nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::block::{BlockError, BlockErrorKind};

/// What a panic said.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.as_deref().unwrap_or("with no message"))]
pub(crate) struct Panic(Option<String>);

/// Calls somebody else's code.
pub(crate) fn call<T>(code: impl FnOnce() -> T) -> Result<T, Panic> {
    // What the code may have left half-done is its own, or is given up with the block.
    catch_unwind(AssertUnwindSafe(code)).map_err(Panic::new)
}

/// Drops a value whose destructor is somebody else's code, and ignores what goes wrong there.
pub(crate) fn discard<T>(value: T) {
    let _ = call(|| drop(value));
}

/// The same for many, each by itself: a second panic while the first unwinds would end the
/// process.
pub(crate) fn discard_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(discard);
}

impl Panic {
    fn new(payload: Box<dyn Any + Send>) -> Self {
        match payload.downcast::<String>() {
            Ok(said) => Self(Some(*said)),
            Err(payload) => match payload.downcast::<&str>() {
                Ok(said) => Self(Some((*said).to_owned())),
                Err(payload) => {
                    // Its destructor is somebody else's code too, and may panic in its turn.
                    std::mem::forget(payload);
                    Self(None)
                }
            },
        }
    }

    /// The error of the block whose code it was.
    pub(crate) fn into_error(self) -> BlockError {
        BlockError::of(BlockErrorKind::Panicked, format!("the block panicked: {self}"))
    }
}
