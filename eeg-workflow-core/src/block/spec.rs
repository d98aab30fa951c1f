//! What a block type declares of itself.

use std::fmt;
use std::ops::RangeInclusive;

use foldhash::HashSet;

use super::PortType;

/// The declaration of a block type: its name, family, ports and parameters, in the order in
/// which a designer shows them, and how it runs.
///
/// ```
/// use eeg_workflow_core::block::{BlockSpec, PortType};
/// let spec = BlockSpec::new("ChannelSelection")
///     .with_family("PreProcessing")
///     .input("EEGData", PortType::EEG_DATA, 1..=1)
///     .parameter("Channels", PortType::STRING_ARRAY, "", "Select channel")
///     .output("EEGData", PortType::EEG_DATA);
/// assert_eq!(spec.fields().count(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct BlockSpec {
    name: String,
    family: String,
    description: String,
    help: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    parameters: Vec<Parameter>,
    order: Vec<Kind>,
    volatility: Volatility,
    execution: Execution,
    checks_own_values: bool,
    /// What the block type is composed of; nothing, for native ones.
    pub(crate) composition: Composition,
}

/// How deep and how large a block type is that is composed of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Composition {
    /// The longest chain of composed block types, this one included.
    pub(crate) depth: u32,
    /// The number of blocks that one run of it runs inside, at all depths.
    pub(crate) inner_blocks: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Input,
    Output,
    Parameter,
}

/// An input or an output of a block type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Port {
    /// Unique among the block's inputs, or among its outputs.
    pub name: String,
    /// What travels through it.
    pub port_type: PortType,
    /// What an input takes beside that.
    pub other_types: Vec<PortType>,
    /// What it is, with shapes and units; that of its type, unless the block says otherwise.
    pub help: String,
    /// How many edges join it.
    pub cardinality: Cardinality,
}

/// An editable value of a block type.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parameter {
    /// Unique among the block's parameters.
    pub name: String,
    /// How its value is read.
    pub port_type: PortType,
    /// What a workflow that leaves it out means, as JSON.
    pub default: serde_json::Value,
    /// For whoever fills it in, in the words that designers of the Python system know.
    pub description: String,
    /// What it means, with its unit; the description, unless the block says otherwise.
    pub help: String,
    /// Whether an empty value is an error.
    pub required: bool,
}

/// How many edges may join a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cardinality {
    /// The minimum.
    pub min: u32,
    /// The maximum.
    pub max: u32,
}

/// Whether a block's outputs follow from its inputs and parameters: what caching depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Volatility {
    /// The same inputs and parameters always give the same outputs.
    Pure,
    /// So as long as the files it reads and the version of its code stay.
    Versioned,
    /// Each run may give something else.
    Volatile,
}

/// Where a block runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Execution {
    /// It computes: in the pool of as many threads as there are cores. It may use rayon, which
    /// then shares that pool; it must hold no lock while it waits for rayon, since the thread
    /// may run another block meanwhile.
    Compute,
    /// It waits for a process or a device: on a thread of its own that holds no core.
    Wait,
}

/// A port or a parameter, in the order of declaration.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// An input.
    Input(&'a Port),
    /// An output.
    Output(&'a Port),
    /// A parameter.
    Parameter(&'a Parameter),
}

impl BlockSpec {
    /// A block type of this name, with no fields yet; pure, and it computes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            family: String::new(),
            description: String::new(),
            help: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            parameters: Vec::new(),
            order: Vec::new(),
            volatility: Volatility::Pure,
            execution: Execution::Compute,
            checks_own_values: false,
            composition: Composition::default(),
        }
    }

    /// Sets the family (a group inside the module).
    pub fn with_family(mut self, family: impl Into<String>) -> Self {
        self.family = family.into();
        self
    }

    /// Sets what designers show beside the description, or in its place.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Sets the description.
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Adds an input that this number of edges may join.
    pub fn input(
        mut self,
        name: impl Into<String>,
        port_type: PortType,
        edges: RangeInclusive<u32>,
    ) -> Self {
        self.inputs.push(Port::new(name.into(), port_type, edges));
        self.order.push(Kind::Input);
        self
    }

    /// Says that the input added last takes values of another type, too.
    pub fn or_type(mut self, port_type: PortType) -> Self {
        if let Some(port) = self.inputs.last_mut() {
            port.other_types.push(port_type);
        }
        self
    }

    /// Describes the input, output or parameter added last, with shapes and units, for designers
    /// that show more than a parameter's description.
    pub fn described(mut self, help: impl Into<String>) -> Self {
        let field = match self.order.last() {
            Some(Kind::Input) => self.inputs.last_mut().map(|port| &mut port.help),
            Some(Kind::Output) => self.outputs.last_mut().map(|port| &mut port.help),
            Some(Kind::Parameter) => {
                self.parameters.last_mut().map(|parameter| &mut parameter.help)
            }
            None => None,
        };
        if let Some(field) = field {
            *field = help.into();
        }
        self
    }

    /// Adds an output that is shown to designers as joining 1 to 100 edges.
    pub fn output(self, name: impl Into<String>, port_type: PortType) -> Self {
        self.output_with(name, port_type, 1..=100)
    }

    /// Adds an output that designers show with this number of edges.
    /// (A value may be used any number of times: an output's maximum is not enforced.)
    pub fn output_with(
        mut self,
        name: impl Into<String>,
        port_type: PortType,
        edges: RangeInclusive<u32>,
    ) -> Self {
        self.outputs.push(Port::new(name.into(), port_type, edges));
        self.order.push(Kind::Output);
        self
    }

    /// Adds a parameter with its default.
    pub fn parameter(
        self,
        name: impl Into<String>,
        port_type: PortType,
        default: impl Into<serde_json::Value>,
        description: impl Into<String>,
    ) -> Self {
        self.with_parameter(Parameter::new(
            name.into(),
            port_type,
            default.into(),
            description.into(),
        ))
    }

    /// Adds a parameter that must not be left empty.
    pub fn required_parameter(
        self,
        name: impl Into<String>,
        port_type: PortType,
        default: impl Into<serde_json::Value>,
        description: impl Into<String>,
    ) -> Self {
        let parameter = Parameter::new(name.into(), port_type, default.into(), description.into());
        self.with_parameter(Parameter { required: true, ..parameter })
    }

    /// Adds a parameter as it is.
    pub(crate) fn with_parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self.order.push(Kind::Parameter);
        self
    }

    /// Sets what caching may assume.
    pub fn with_volatility(mut self, volatility: Volatility) -> Self {
        self.volatility = volatility;
        self
    }

    /// Sets where the block runs.
    pub fn with_execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Says that the block checks the values it gets by itself (as Python does), so that a
    /// mismatch of declared types is a warning and not an error.
    pub fn with_own_checks(mut self) -> Self {
        self.checks_own_values = true;
        self
    }

    /// The block type's name, unique in its module.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group inside the module.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// For whoever uses the block, in the words that designers of the Python system know.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What the block does; the description, unless the block says more.
    pub fn help(&self) -> &str {
        if self.help.is_empty() { &self.description } else { &self.help }
    }

    /// The inputs, in their order.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs, in their order.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// The parameters, in their order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// What caching may assume.
    pub fn volatility(&self) -> Volatility {
        self.volatility
    }

    /// Where the block runs.
    pub fn execution(&self) -> Execution {
        self.execution
    }

    /// Whether a mismatch of types at its ports is only a warning.
    pub fn checks_own_values(&self) -> bool {
        self.checks_own_values
    }

    /// All fields in the order of declaration.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let (mut inputs, mut outputs, mut parameters) =
            (self.inputs.iter(), self.outputs.iter(), self.parameters.iter());
        self.order.iter().filter_map(move |kind| match kind {
            Kind::Input => inputs.next().map(Field::Input),
            Kind::Output => outputs.next().map(Field::Output),
            Kind::Parameter => parameters.next().map(Field::Parameter),
        })
    }

    /// The first field whose name another field of its kind has already.
    pub(crate) fn duplicate_field(&self) -> Option<Field<'_>> {
        let mut seen = HashSet::default();
        self.fields().find(|field| {
            !seen.insert(match field {
                Field::Input(port) => (0, &port.name),
                Field::Output(port) => (1, &port.name),
                Field::Parameter(parameter) => (2, &parameter.name),
            })
        })
    }

    pub(crate) fn input_index(&self, name: &str) -> Option<usize> {
        self.inputs.iter().position(|port| port.name == name)
    }

    pub(crate) fn output_index(&self, name: &str) -> Option<usize> {
        self.outputs.iter().position(|port| port.name == name)
    }
}

impl Parameter {
    /// A parameter that may be left empty.
    pub(crate) fn new(
        name: String,
        port_type: PortType,
        default: serde_json::Value,
        description: String,
    ) -> Self {
        Self { name, port_type, default, help: description.clone(), description, required: false }
    }
}

impl Port {
    fn new(name: String, port_type: PortType, edges: RangeInclusive<u32>) -> Self {
        let cardinality = Cardinality { min: *edges.start(), max: *edges.end() };
        let help = port_type.help().to_owned();
        Self { name, port_type, other_types: Vec::new(), help, cardinality }
    }

    /// Whether a value of this type may come in.
    pub fn takes(&self, given: &PortType) -> bool {
        given.fits(&self.port_type) || self.other_types.iter().any(|other| given.fits(other))
    }

    /// What comes in or goes out, in words.
    pub(crate) fn types(&self) -> String {
        let types = std::iter::once(&self.port_type).chain(&self.other_types);
        types.map(PortType::name).collect::<Vec<_>>().join(" or ")
    }
}

/// As `input "a"`.
impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(port) => write!(f, "input \"{}\"", port.name),
            Self::Output(port) => write!(f, "output \"{}\"", port.name),
            Self::Parameter(parameter) => write!(f, "parameter \"{}\"", parameter.name),
        }
    }
}

impl fmt::Display for Cardinality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}
