//! `module.json`: the declaration of block types composed of others.
//!
//! The format is described in `docs/MODULES.md`.

use serde_json::{Map, Value};

use super::place::{Place, Problem};
use crate::block::PortType;
use crate::workflow::{BlockId, Diagnostic};

/// The version of the format that is read.
const FORMAT: u64 = 1;

/// Why a declarative module was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{file}{}: {problem}", at(pointer))]
#[non_exhaustive]
pub struct ManifestError {
    /// The file, such as `Statistics/module.json`.
    pub file: String,
    /// The place in it, as a JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub problem: String,
    /// What is wrong in a sub-workflow, with pointers below its document.
    pub diagnostics: Vec<Diagnostic>,
}

fn at(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" at {pointer}") }
}

/// What a `module.json` says.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) blocks: Vec<Declaration>,
}

/// One block type.
#[derive(Debug)]
pub(super) struct Declaration {
    pub(super) name: String,
    pub(super) family: String,
    pub(super) description: String,
    pub(super) implementation: Implementation,
    /// Where it is.
    pub(super) pointer: String,
}

#[derive(Debug)]
pub(super) enum Implementation {
    Preset(Preset),
    Workflow(SubWorkflow),
}

/// Another block type, some of whose parameters are fixed.
#[derive(Debug)]
pub(super) struct Preset {
    pub(super) target: BlockType,
    pub(super) values: Map<String, Value>,
    /// Where it is.
    pub(super) pointer: String,
}

/// A workflow whose open ports are named as the block's.
#[derive(Debug)]
pub(super) struct SubWorkflow {
    pub(super) document: Value,
    pub(super) document_pointer: String,
    pub(super) inputs: Vec<OuterInput>,
    pub(super) outputs: Vec<OuterOutput>,
    pub(super) parameters: Vec<OuterParameter>,
    /// The block whose display is shown.
    pub(super) shows: Option<BlockId>,
    /// Where it is.
    pub(super) pointer: String,
}

/// A block type by its module's name and its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct BlockType {
    pub(super) module: String,
    pub(super) name: String,
}

#[derive(Clone, Debug)]
pub(super) struct OuterInput {
    pub(super) name: String,
    pub(super) port_type: Option<PortType>,
    pub(super) card: Option<(u32, u32)>,
    pub(super) at: Vec<InnerPort>,
}

#[derive(Clone, Debug)]
pub(super) struct OuterOutput {
    pub(super) name: String,
    pub(super) port_type: Option<PortType>,
    pub(super) card: (u32, u32),
    pub(super) from: InnerPort,
}

#[derive(Clone, Debug)]
pub(super) struct OuterParameter {
    pub(super) name: String,
    pub(super) port_type: Option<PortType>,
    pub(super) default: Option<Value>,
    pub(super) description: String,
    pub(super) at: Vec<InnerPort>,
}

/// A port or a parameter of a block of the sub-workflow.
#[derive(Clone, Debug)]
pub(super) struct InnerPort {
    pub(super) block: BlockId,
    pub(super) name: String,
    /// Where it is.
    pub(super) pointer: String,
}

impl Manifest {
    /// Reads a `module.json`.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let root: Value = serde_json::from_slice(bytes)
            .map_err(|error| Problem::new("", format!("not valid JSON: {error}")))?;
        let root = Place::root(&root);
        // The version first: a later one may have other fields.
        let format = root.need("format")?;
        if format.value.as_u64() != Some(FORMAT) {
            let text = format!("format {} is not known (this is version {FORMAT})", format.value);
            return Err(format.problem(text));
        }
        root.object(&["format", "blocks"])?;
        let mut blocks: Vec<Declaration> = Vec::new();
        for place in root.need("blocks")?.items()? {
            let block = declaration(&place)?;
            if blocks.iter().any(|other| other.name == block.name) {
                return Err(place.problem(format!("there are two blocks \"{}\"", block.name)));
            }
            blocks.push(block);
        }
        Ok(Self { blocks })
    }
}

impl Implementation {
    /// The block types that it depends on, each with its place.
    pub(super) fn uses(&self) -> Vec<(BlockType, String)> {
        match self {
            Self::Preset(preset) => vec![(preset.target.clone(), preset.pointer.clone())],
            Self::Workflow(workflow) => {
                let blocks = workflow.blocks().iter().enumerate();
                let used = blocks.filter_map(|(i, block)| {
                    let text = |field| Some(block.get(field)?.as_str()?.to_owned());
                    let block_type = BlockType { module: text("module")?, name: text("type")? };
                    Some((block_type, format!("{}/blocks/{i}", workflow.document_pointer)))
                });
                // What is not a block at all is reported by planning.
                used.collect()
            }
        }
    }
}

impl SubWorkflow {
    /// The document's blocks, if it has any.
    pub(super) fn blocks(&self) -> &[Value] {
        let blocks = self.document.get("blocks").and_then(Value::as_array);
        blocks.map_or(&[], Vec::as_slice)
    }
}

fn declaration(place: &Place<'_>) -> Result<Declaration, Problem> {
    place.object(&["name", "family", "description", "preset", "workflow"])?;
    let implementation = match (place.get("preset"), place.get("workflow")) {
        (Some(preset), None) => Implementation::Preset(self::preset(&preset)?),
        (None, Some(workflow)) => Implementation::Workflow(sub_workflow(&workflow)?),
        _ => return Err(place.problem("must have one of \"preset\" and \"workflow\"")),
    };
    Ok(Declaration {
        name: place.name_of("name")?.to_owned(),
        family: place.text_of("family")?.to_owned(),
        description: place.text_of("description")?.to_owned(),
        implementation,
        pointer: place.pointer.clone(),
    })
}

fn preset(place: &Place<'_>) -> Result<Preset, Problem> {
    place.object(&["module", "type", "values"])?;
    let target = BlockType {
        module: place.name_of("module")?.to_owned(),
        name: place.name_of("type")?.to_owned(),
    };
    let values = match place.get("values") {
        Some(values) => {
            let object = values.value.as_object();
            object.cloned().ok_or_else(|| values.problem("must be an object"))?
        }
        None => Map::new(),
    };
    Ok(Preset { target, values, pointer: place.pointer.clone() })
}

fn sub_workflow(place: &Place<'_>) -> Result<SubWorkflow, Problem> {
    place.object(&["document", "inputs", "outputs", "parameters", "shows"])?;
    let document = place.need("document")?;
    // As everywhere, a document may be wrapped once more.
    let bare = document.get("workflow").filter(|_| document.get("blocks").is_none());
    let document = bare.unwrap_or(document);
    if !document.value.is_object() {
        return Err(document.problem("must be an object"));
    }
    let mut inputs = Vec::new();
    for place in named(place, "inputs")? {
        place.object(&["name", "type", "card", "for"])?;
        inputs.push(OuterInput {
            name: place.name_of("name")?.to_owned(),
            port_type: port_type(&place)?,
            card: card(&place)?,
            at: inner_ones(&place, "port")?,
        });
    }
    let mut outputs = Vec::new();
    for place in named(place, "outputs")? {
        place.object(&["name", "type", "card", "from"])?;
        outputs.push(OuterOutput {
            name: place.name_of("name")?.to_owned(),
            port_type: port_type(&place)?,
            card: card(&place)?.unwrap_or((1, 100)),
            from: inner(&place.need("from")?, "port")?,
        });
    }
    let mut parameters = Vec::new();
    for place in named(place, "parameters")? {
        place.object(&["name", "type", "default", "description", "for"])?;
        parameters.push(OuterParameter {
            name: place.name_of("name")?.to_owned(),
            port_type: port_type(&place)?,
            default: place.get("default").map(|default| default.value.clone()),
            description: place.text_of("description")?.to_owned(),
            at: inner_ones(&place, "parameter")?,
        });
    }
    let shows = place.get("shows").map(|place| block_id(&place)).transpose()?;
    Ok(SubWorkflow {
        document: document.value.clone(),
        document_pointer: document.pointer,
        inputs,
        outputs,
        parameters,
        shows,
        pointer: place.pointer.clone(),
    })
}

/// The items of a list of things with different names.
fn named<'a>(place: &Place<'a>, field: &str) -> Result<Vec<Place<'a>>, Problem> {
    let items = place.items_of(field)?;
    let mut names = Vec::new();
    for item in &items {
        let name = item.name_of("name")?;
        if names.contains(&name) {
            return Err(item.problem(format!("there are two {field} \"{name}\"")));
        }
        names.push(name);
    }
    Ok(items)
}

fn port_type(place: &Place<'_>) -> Result<Option<PortType>, Problem> {
    let Some(place) = place.get("type") else { return Ok(None) };
    Ok(Some(PortType::named(place.text()?.to_owned())))
}

/// `1-1`, as on the wire.
fn card(place: &Place<'_>) -> Result<Option<(u32, u32)>, Problem> {
    let Some(place) = place.get("card") else { return Ok(None) };
    let ends = place.text()?.split_once('-');
    let ends = ends.and_then(|(min, max)| Some((min.parse().ok()?, max.parse().ok()?)));
    let ends = ends.filter(|(min, max)| min <= max && (1..=10_000).contains(max));
    ends.map(Some).ok_or_else(|| {
        place.problem("must be like \"1-1\": the minimum and the maximum of edges (10000 at most)")
    })
}

/// One `{"block", "port"}`, or a list of them.
fn inner_ones(place: &Place<'_>, kind: &str) -> Result<Vec<InnerPort>, Problem> {
    let place = place.need("for")?;
    if !place.value.is_array() {
        return Ok(vec![inner(&place, kind)?]);
    }
    let items = place.items()?;
    if items.is_empty() {
        return Err(place.problem("must not be empty"));
    }
    items.iter().map(|item| inner(item, kind)).collect()
}

fn inner(place: &Place<'_>, kind: &str) -> Result<InnerPort, Problem> {
    place.object(&["block", kind])?;
    Ok(InnerPort {
        block: block_id(&place.need("block")?)?,
        name: place.need(kind)?.text()?.to_owned(),
        pointer: place.pointer.clone(),
    })
}

fn block_id(place: &Place<'_>) -> Result<BlockId, Problem> {
    if let Some(integer) = place.value.as_i64() {
        return Ok(BlockId::Integer(integer));
    }
    let text = place.value.as_str().map(|text| BlockId::Text(text.into()));
    text.ok_or_else(|| place.problem("must be a block's id: an integer or a string"))
}
