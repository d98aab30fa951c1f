//! Outputs that the command line asks for, as files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use eeg_workflow_core::block::Value;
use eeg_workflow_core::eeg::Recording;
use eeg_workflow_core::engine::{Keep, Report};
use eeg_workflow_core::workflow::{BlockIndex, Plan};

use super::npy;
use crate::catalog::Failure;
use crate::cli::Assignment;

/// An output and the file that it goes to.
pub(super) struct Save {
    block: BlockIndex,
    port: usize,
    /// As the command line has it.
    name: String,
    path: PathBuf,
}

/// Finds the outputs that are to be saved.
pub(super) fn resolve(saves: &[Assignment], plan: &Plan) -> Result<Vec<Save>, Failure> {
    let find = |save: &Assignment| {
        let is_it =
            |index: &BlockIndex| plan.id(*index).is_some_and(|id| id.to_string() == save.block);
        let block = plan
            .indices()
            .find(is_it)
            .ok_or_else(|| format!("the workflow has no block {}", save.block))?;
        let spec = plan.block(block).map(|block| block.spec());
        let port =
            spec.and_then(|spec| spec.outputs().iter().position(|output| output.name == save.name));
        let port =
            port.ok_or_else(|| format!("block {} has no output \"{}\"", save.block, save.name))?;
        let name = format!("{}.{}", save.block, save.name);
        Ok(Save { block, port, name, path: save.value.clone().into() })
    };
    let found: Result<Vec<Save>, String> = saves.iter().map(find).collect();
    found.map_err(|problem| Failure::usage(format!("--save: {problem}")))
}

/// What the engine must keep for them.
pub(super) fn keep(saves: &[Save]) -> Keep {
    Keep::Outputs(saves.iter().map(|save| (save.block, save.port)).collect())
}

/// Writes them. Those of blocks that did not finish are said to be missing.
pub(super) fn write(saves: &[Save], report: &Report) -> Result<(), Failure> {
    for save in saves {
        let Some(value) = report.output(save.block, save.port) else {
            eprintln!(
                "--save {}: there is no output, {} is not written",
                save.name,
                save.path.display()
            );
            continue;
        };
        write_value(&save.path, value)
            .map_err(|error| Failure::failed(format!("{}: {error}", save.path.display())))?;
    }
    Ok(())
}

/// Arrays and what is made of arrays as `.npy`, other values as JSON.
fn write_value(path: &Path, value: &Value) -> io::Result<()> {
    let create = || File::create(path).map(BufWriter::new);
    if let Value::Array(array) = value {
        return npy::write(create()?, array.shape(), array.iter().copied());
    }
    if let Some(recording) = value.downcast_ref::<Recording>() {
        let volts = recording.data();
        return npy::write(create()?, volts.shape(), volts.iter().copied());
    }
    let mut text = String::new();
    push_json(&mut text, value)?;
    text.push('\n');
    let mut out = create()?;
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The value as JSON: integers of any size to the last digit; floats that JSON does not know
/// as null; keys of maps as text.
fn push_json(text: &mut String, value: &Value) -> io::Result<()> {
    match value {
        Value::None => text.push_str("null"),
        Value::Bool(bool) => text.push_str(if *bool { "true" } else { "false" }),
        Value::Integer(integer) => text.push_str(&integer.to_string()),
        Value::BigInteger(integer) => text.push_str(&integer.to_string()),
        Value::Float(float) => text.push_str(&serde_json::to_string(float)?),
        Value::Text(string) => text.push_str(&serde_json::to_string(&**string)?),
        Value::List(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                push_json(text, item)?;
            }
            text.push(']');
        }
        Value::Map(entries) => {
            text.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                let mut name = String::new();
                match key.as_text() {
                    Some(key) => name.push_str(key),
                    None => push_json(&mut name, key)?,
                }
                text.push_str(&serde_json::to_string(&name)?);
                text.push_str(": ");
                push_json(text, item)?;
            }
            text.push('}');
        }
        Value::Array(array) => {
            // Inside of a list: only whole values are arrays of their own.
            text.push_str(&serde_json::to_string(&array.iter().collect::<Vec<_>>())?);
        }
        other => {
            let problem = format!("a value of type {} cannot be saved", other.type_name());
            return Err(io::Error::other(problem));
        }
    }
    Ok(())
}
