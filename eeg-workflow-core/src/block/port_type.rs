//! The types that ports and parameters declare.

use std::borrow::Cow;
use std::fmt;

/// The declared type of a port or a parameter, by its name on the wire.
///
/// Names are compared without regard to case. A name that this crate does not know is a type
/// of a module's own, equal only to itself.
#[derive(Clone, Debug)]
pub struct PortType(Cow<'static, str>);

impl PortType {
    /// A number: an integer of any size, or a float.
    pub const NUMBER: Self = Self(Cow::Borrowed("NUMBER"));
    /// A list of numbers.
    pub const NUMBER_ARRAY: Self = Self(Cow::Borrowed("NUMBER[]"));
    /// Text.
    pub const STRING: Self = Self(Cow::Borrowed("STRING"));
    /// A list of strings.
    pub const STRING_ARRAY: Self = Self(Cow::Borrowed("STRING[]"));
    /// A file of the user's, as `Home/a/b.eeg`.
    pub const FILE: Self = Self(Cow::Borrowed("FILE"));
    /// A list of files.
    pub const FILE_ARRAY: Self = Self(Cow::Borrowed("FILE[]"));
    /// A folder of the user's.
    pub const FILE_LOCATION: Self = Self(Cow::Borrowed("FILE_LOCATION"));
    /// True or false.
    pub const BOOLEAN: Self = Self(Cow::Borrowed("BOOLEAN"));
    /// Any object.
    pub const OBJECT: Self = Self(Cow::Borrowed("OBJECT"));
    /// A continuous recording.
    pub const EEG_DATA: Self = Self(Cow::Borrowed("EEGData"));
    /// Epochs, or an average of epochs.
    pub const EPOCHS: Self = Self(Cow::Borrowed("EPOCHS"));
    /// Feature vectors.
    pub const FEATURE_VECTOR: Self = Self(Cow::Borrowed("FeatureVector"));
    /// A model of a classifier.
    pub const MODEL: Self = Self(Cow::Borrowed("Model"));

    /// The type of this name.
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The name as it was declared.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// What a port of this type takes or gives, with shapes and units; empty for types of modules.
    pub(crate) fn help(&self) -> &'static str {
        [
            (Self::NUMBER, "A number"),
            (Self::NUMBER_ARRAY, "Numbers"),
            (Self::STRING, "A string"),
            (Self::STRING_ARRAY, "Strings"),
            (Self::FILE, "A file"),
            (Self::FILE_ARRAY, "Files"),
            (Self::FILE_LOCATION, "A folder"),
            (Self::BOOLEAN, "True or false"),
            (Self::OBJECT, "An object of any type"),
            (Self::EEG_DATA, "A recording: channels × samples, in volts"),
            (Self::EPOCHS, "Epochs (epochs × channels × samples, in volts), or averages of them"),
            (Self::FEATURE_VECTOR, "Feature vectors, one for each epoch"),
            (Self::MODEL, "A model: layers to be trained, or a trained one"),
        ]
        .iter()
        .find(|(known, _)| known == self)
        .map_or("", |(_, help)| help)
    }

    /// Whether a value of an output of type `self` may go into an input of type `input`:
    /// the types are equal, or both are among STRING, NUMBER and BOOLEAN.
    ///
    /// ```
    /// use eeg_workflow_core::block::PortType;
    /// assert!(PortType::NUMBER.fits(&PortType::named("number")));
    /// assert!(PortType::STRING.fits(&PortType::BOOLEAN));
    /// assert!(!PortType::EPOCHS.fits(&PortType::EEG_DATA));
    /// ```
    pub fn fits(&self, input: &Self) -> bool {
        self == input || (self.is_scalar() && input.is_scalar())
    }

    fn is_scalar(&self) -> bool {
        [Self::STRING, Self::NUMBER, Self::BOOLEAN].contains(self)
    }
}

impl PartialEq for PortType {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for PortType {}

impl fmt::Display for PortType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
