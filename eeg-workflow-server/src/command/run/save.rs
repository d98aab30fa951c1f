//! Outputs that the command line asks for, as files.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use eeg_workflow_core::block::{Port, PortType, Value, json};
use eeg_workflow_core::eeg::{Epochs, Evoked, FeatureVectors, Model, Recording};
use eeg_workflow_core::engine::{Keep, Report};
use eeg_workflow_core::workflow::{BlockIndex, Plan};

use super::npy;
use crate::cli::{Assignment, AssignmentParts};
use crate::command::failure::Failure;

/// An output and the file that it goes to.
pub(super) struct Save {
    block: BlockIndex,
    port: usize,
    /// As the command line has it.
    name: String,
    path: PathBuf,
}

/// Finds the outputs that are to be saved, and checks that their files can be written.
pub(super) fn resolve(saves: &[Assignment], plan: &Plan) -> Result<Vec<Save>, Failure> {
    let found: Result<Vec<Save>, String> = saves.iter().map(|save| find(save, plan)).collect();
    let found = found.and_then(|saves| {
        let mut paths = HashSet::new();
        match saves.iter().find(|save| !paths.insert(place(&save.path))) {
            Some(twice) => Err(format!("{} is named twice", twice.path.display())),
            None => Ok(saves),
        }
    });
    found.map_err(|problem| Failure::usage(format!("--save: {problem}")))
}

fn find(save: &Assignment, plan: &Plan) -> Result<Save, String> {
    let AssignmentParts { block: id, name: port_name, value } =
        save.parts(|id| find_block(plan, id).is_some());
    let block = find_block(plan, id).ok_or_else(|| format!("the workflow has no block {id}"))?;
    let spec = plan.block(block).map(|block| block.spec());
    let port =
        spec.and_then(|spec| spec.outputs().iter().position(|output| output.name == port_name));
    let port = port.ok_or_else(|| format!("block {id} has no output \"{port_name}\""))?;
    let path = PathBuf::from(value);
    let output = spec.filter(|spec| !spec.checks_own_values());
    let output = output.and_then(|spec| spec.outputs().get(port));
    if let Some(output) = output
        && path.extension().is_some_and(|ending| ending == "npy")
        && !may_be_array(output)
    {
        let kind = &output.port_type;
        return Err(format!("{value}: {id}.{port_name} is a {kind}, which is not an array"));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(format!("{}: there is no folder {}", path.display(), folder.display()));
    }
    if path.is_dir() || value.is_empty() {
        return Err(format!("\"{value}\" is not the name of a file"));
    }
    Ok(Save { block, port, name: format!("{id}.{port_name}"), path })
}

/// Where a path leads, however it is written: the file if it is there, else its folder and its name.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let whole = path.canonicalize().or_else(|_| {
        let folder = folder.unwrap_or(Path::new(".")).canonicalize()?;
        Ok::<_, io::Error>(folder.join(path.file_name().unwrap_or_default()))
    });
    whole.unwrap_or_else(|_| path.to_owned())
}

/// Whether an output of this type, of a block that keeps to its types, may be an array.
fn may_be_array(output: &Port) -> bool {
    ![PortType::NUMBER, PortType::STRING, PortType::BOOLEAN, PortType::MODEL]
        .contains(&output.port_type)
}

/// The block of this id.
pub(super) fn find_block(plan: &Plan, id: &str) -> Option<BlockIndex> {
    plan.indices().find(|index| plan.id(*index).is_some_and(|found| found.to_string() == id))
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

/// Arrays and what is made of arrays (recordings: channels × samples; epochs: epochs × channels ×
/// samples; averages: channels × samples, several averages: averages × channels × samples;
/// features: vectors × features) as `.npy`, models in the format of the file's ending, other values
/// as JSON.
fn write_value(path: &Path, value: &Value) -> io::Result<()> {
    let create = || File::create(path).map(BufWriter::new);
    if let Value::Array(array) = value {
        return npy::write(create()?, array.shape(), array.iter().copied());
    }
    if let Some(recording) = value.downcast_ref::<Recording>() {
        let volts = recording.data();
        return npy::write(create()?, volts.shape(), volts.iter().copied());
    }
    if let Some(epochs) = value.downcast_ref::<Epochs>() {
        let volts = epochs.data();
        return npy::write(create()?, volts.shape(), volts.iter().copied());
    }
    if let Some(evoked) = value.downcast_ref::<Evoked>() {
        return npy::write(create()?, evoked.data.shape(), evoked.data.iter().copied());
    }
    if let Some(averages) = averages(value) {
        return write_averages(create, &averages);
    }
    if let Some(vectors) = value.downcast_ref::<FeatureVectors>() {
        let features = vectors.values();
        return npy::write(create()?, features.shape(), features.iter().copied());
    }
    if let Some(model) = value.downcast_ref::<Model>() {
        let bytes = match path.extension().and_then(|ending| ending.to_str()) {
            Some("onnx") => model.to_onnx(),
            Some("safetensors") => model.to_safetensors(),
            _ => {
                let problem = "a model is saved as .onnx or .safetensors";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
            }
        };
        return std::fs::write(path, bytes);
    }
    if path.extension().is_some_and(|ending| ending == "npy") {
        let problem =
            format!("a value of type {} is not an array: save it as .json", value.type_name());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let mut text = json::to_document(value).map_err(io::Error::other)?;
    text.push('\n');
    let mut out = create()?;
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The averages that a list consists of, such as those of the conditions; None when it holds
/// anything else, or nothing.
fn averages(value: &Value) -> Option<Vec<&Evoked>> {
    let Value::List(items) = value else { return None };
    let averages: Option<Vec<_>> = items.iter().map(Value::downcast_ref::<Evoked>).collect();
    averages.filter(|averages| !averages.is_empty())
}

/// Averages one behind the other, in the order of the list.
fn write_averages<W: Write>(
    create: impl FnOnce() -> io::Result<W>,
    averages: &[&Evoked],
) -> io::Result<()> {
    let shape = averages.first().map_or((0, 0), |average| average.shape());
    if let Some(other) = averages.iter().find(|average| average.shape() != shape) {
        let shapes = (shape, other.shape());
        let problem = format!(
            "averages of different shapes (channels, samples) make no array: {:?} and {:?}",
            shapes.0, shapes.1
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let volts = averages.iter().flat_map(|average| average.data.iter().copied());
    npy::write(create()?, &[averages.len(), shape.0, shape.1], volts)
}
