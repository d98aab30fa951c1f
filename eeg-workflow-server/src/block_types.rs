//! The list of block types, as designers and programs read it.

use eeg_workflow_core::block::{Field, Port, PortType};
use eeg_workflow_core::module::ModuleEntry;
use serde::Serialize;
use serde_json::Value;

/// Who the built-in modules belong to, as clients know it.
const BUILTIN_OWNER: &str = "guest@guest.com";

/// A block type as designers read it, with its keys in the order that they know.
#[derive(Serialize)]
pub(crate) struct BlockType<'a> {
    owner: &'a str,
    public: bool,
    pub(crate) module: &'a str,
    name: &'a str,
    description: &'a str,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    family: &'a str,
    fields: Vec<BlockField<'a>>,
}

/// A parameter, an input or an output of a block type.
#[derive(Serialize)]
struct BlockField<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    port_type: &'a str,
    /// What an input takes beside its type.
    #[serde(rename = "otherTypes", skip_serializing_if = "Vec::is_empty")]
    other_types: Vec<&'a str>,
    #[serde(rename = "defaultValue", skip_serializing_if = "Option::is_none")]
    default: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    /// What it is, with shapes and units.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(rename = "card", skip_serializing_if = "Option::is_none")]
    cardinality: Option<String>,
    attrs: &'static str,
}

impl BlockType<'_> {
    /// The type, its family and its ports on one line.
    pub(crate) fn summary(&self) -> String {
        let names = |attrs: &str| -> String {
            let fields = self.fields.iter().filter(|field| field.attrs == attrs);
            fields.map(|field| field.name).collect::<Vec<_>>().join(", ")
        };
        let (name, family) = (self.name, self.family);
        let (inputs, outputs, parameters) = (names("input"), names("output"), names("editable"));
        format!("{name} [{family}] ({inputs}) -> ({outputs}) parameters: {parameters}")
    }
}

/// The block types of a module: as designers of the Python system know them, or with what others
/// show beside that.
pub(crate) fn block_types(
    entry: &ModuleEntry,
    with_help: bool,
) -> impl Iterator<Item = BlockType<'_>> {
    let is_builtin = entry.archive.is_none();
    entry.module.blocks().iter().map(move |block| {
        let spec = block.spec();
        BlockType {
            owner: if is_builtin { BUILTIN_OWNER } else { &entry.owner },
            public: entry.public && !is_builtin,
            module: entry.module.name(),
            name: spec.name(),
            description: spec.description(),
            help: with_help.then(|| spec.help()),
            family: spec.family(),
            fields: spec.fields().map(|field| block_field(field, with_help)).collect(),
        }
    })
}

fn block_field(field: Field<'_>, with_help: bool) -> BlockField<'_> {
    match field {
        Field::Parameter(parameter) => BlockField {
            name: &parameter.name,
            port_type: parameter.port_type.name(),
            other_types: Vec::new(),
            default: Some(&parameter.default),
            description: Some(&parameter.description),
            help: with_help.then_some(&parameter.help),
            cardinality: None,
            attrs: "editable",
        },
        Field::Input(port) => port_field(port, "input", with_help),
        Field::Output(port) => port_field(port, "output", with_help),
    }
}

fn port_field<'a>(port: &'a Port, attrs: &'static str, with_help: bool) -> BlockField<'a> {
    let others = if with_help { port.other_types.as_slice() } else { &[] };
    BlockField {
        name: &port.name,
        port_type: port.port_type.name(),
        other_types: others.iter().map(PortType::name).collect(),
        default: None,
        description: None,
        help: with_help.then_some(&port.help),
        cardinality: Some(port.cardinality.to_string()),
        attrs,
    }
}
