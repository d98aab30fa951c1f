//! A block that runs in a worker.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::block::{
    Block, BlockError, BlockErrorKind, BlockSpec, Context, Display, FileError, Inputs, Outputs,
    PortType, Stop, Value,
};
use crate::runtime::python::code::Code;
use crate::runtime::python::files::{self, StagedFile};
use crate::runtime::python::memory;
use crate::runtime::python::pool::lease::Lease;
use crate::runtime::python::pool::{Key, Pool};
use crate::runtime::python::python_object::{self, Immovable, PythonObject};
use crate::runtime::python::values::{CodecError, Incoming, Outgoing};
use crate::runtime::python::worker::Failure;
use crate::runtime::python::worker::channel::Packet;
use crate::runtime::python::worker::link::WorkerLink;
use crate::runtime::python::worker::output::Printed;
use crate::runtime::python::worker::waiter::Waiter;
use crate::sync::Mutex;

/// Pictures and models of more bytes are refused.
const MOST_SHOWN: usize = 1 << 30;

/// One block type of a Python module.
pub(super) struct PythonBlock {
    pub(super) pool: Arc<Pool>,
    pub(super) code: Arc<Code>,
    pub(super) module: String,
    pub(super) spec: BlockSpec,
}

impl Waiter for Context<'_> {
    fn stop(&self) -> Option<Stop> {
        Context::stop(self)
    }

    fn log(&self, line: &str) {
        Context::log(self, line);
    }
}

/// A value on its way to the block.
enum Given {
    Value(Value),
    Object(Arc<PythonObject>),
}

impl Block for PythonBlock {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, cx: &Context<'_>, inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let mut given = Vec::new();
        for (port, value) in inputs.take_every() {
            let value = match value.downcast::<PythonObject>() {
                Ok(object) => Given::Object(object),
                Err(value) => Given::Value(value),
            };
            given.push((port, value));
        }
        let files = self.files(cx, &given)?;
        // A worker that ended before it got the request has cost nothing: once more.
        let mut first = true;
        loop {
            let mut printed = Printed::default();
            let attempt = self.attempt(cx, &mut given, &files, &mut printed)?;
            return match attempt {
                Ok((mut worker, packet)) => self.outputs(cx, &mut worker, packet, &files),
                Err(Failure::NotSent) if first => {
                    first = false;
                    continue;
                }
                Err(failure) => Err(failure.into_error(&printed)),
            };
        }
    }
}

impl PythonBlock {
    /// The files that the block may read: those of its parameters, and those that its inputs
    /// may still read from.
    fn files(
        &self,
        cx: &Context<'_>,
        given: &[(&str, Given)],
    ) -> Result<Arc<[StagedFile]>, BlockError> {
        let mut files: Vec<StagedFile> = Vec::new();
        for parameter in self.spec.parameters() {
            let names = if parameter.port_type == PortType::FILE {
                vec![cx.text(&parameter.name)]
            } else if parameter.port_type == PortType::FILE_ARRAY {
                cx.texts(&parameter.name)
            } else {
                continue;
            };
            for name in names.iter().filter(|name| !name.trim().is_empty()) {
                // What names no file is for the block to complain of.
                match cx.named_file(name) {
                    Ok(path) => files.extend(files::set_of(&path, name)),
                    Err(FileError::NotFound | FileError::NoFolder) => {}
                    Err(error) => {
                        let problem = format_args!("\"{name}\": {error}");
                        return Err(BlockError::parameter(&parameter.name, problem));
                    }
                }
            }
        }
        for (_, value) in given {
            if let Given::Object(object) = value {
                files.extend(object.files.iter().cloned());
            }
        }
        let mut seen = foldhash::HashSet::default();
        files.retain(|file| seen.insert(file.clone()));
        Ok(files.into())
    }

    /// Sends the block to a worker and waits for its answer.
    fn attempt(
        &self,
        cx: &Context<'_>,
        given: &mut [(&str, Given)],
        files: &[StagedFile],
        printed: &mut Printed,
    ) -> Result<Result<(Lease, Packet), Failure>, BlockError> {
        let key = Key::new(&self.code, cx.owner());
        // The worker that holds the largest value which nobody else needs.
        let mut link: Option<(usize, Arc<WorkerLink>)> = None;
        for (_, value) in given.iter_mut() {
            if let Given::Object(object) = value
                && key == Key::new(&object.code, object.owner)
                && object.can_be_handed_over()
                && link.as_ref().is_none_or(|(size, _)| *size < object.size)
            {
                link = Some((object.size, Arc::clone(&object.link)));
            }
        }
        let mut link = link.map(|(_, link)| link);

        // What cannot go where the block runs decides where it does.
        let mut message = Outgoing::default();
        let mut encoded: Vec<Json> = Vec::new();
        // The objects that are handed over for good.
        let mut handed_over = vec![false; given.len()];
        for ((port, value), handed_over) in given.iter_mut().zip(&mut handed_over) {
            encoded.push(match value {
                Given::Value(value) => {
                    message.encode(value).map_err(|error| BlockError::input(port, error))?
                }
                Given::Object(object) => {
                    let stays = link.as_ref().is_some_and(|link| Arc::ptr_eq(link, &object.link));
                    if stays && object.can_be_handed_over() {
                        *handed_over = true;
                        json!({ "handle": object.handle, "as": "itself" })
                    } else {
                        self.moved(cx, port, object, &key, &mut link, &mut message)?
                    }
                }
            });
        }

        let worker = match &link {
            Some(link) => self.pool.holder(link, cx),
            None => self.pool.any(&self.code, cx.owner(), cx),
        };
        let mut worker = worker.map_err(|no| no.into_error("its input"))?;
        let staged = worker.staged_folder.stage(files).map_err(BlockError::from_error)?;
        let (descriptors, memory) = message.descriptors();
        let request = json!({
            "op": "run",
            "module": self.module,
            "block": self.spec.name(),
            "data": self.data(cx, given, encoded),
            "outputs": self.takers(cx),
            "memory": memory,
        });
        let answer = worker.exchange(request, &descriptors, cx, printed);
        drop(staged);
        if !matches!(answer, Err(Failure::NotSent)) {
            for ((_, value), handed_over) in given.iter_mut().zip(handed_over) {
                if handed_over
                    && let Given::Object(object) = value
                    && let Some(object) = Arc::get_mut(object)
                {
                    object.is_taken = true;
                }
            }
        }
        Ok(answer.map(|packet| (worker, packet)))
    }

    /// An object that does not stay where it is, or that others need too.
    fn moved(
        &self,
        cx: &Context<'_>,
        port: &str,
        object: &mut Arc<PythonObject>,
        key: &Key,
        link: &mut Option<Arc<WorkerLink>>,
        message: &mut Outgoing,
    ) -> Result<Json, BlockError> {
        let form = if object.has_one_taker() { "either" } else { "copy" };
        match object.pickled(&self.pool, cx) {
            Ok(memory) => Ok(json!({ "pickle": message.attach(memory) })),
            Err(Immovable::Failed(error)) => Err(error),
            Err(Immovable::Pinned(reason)) => {
                let fits = *key == Key::new(&object.code, object.owner)
                    && link.as_ref().is_none_or(|link| Arc::ptr_eq(link, &object.link));
                if !fits {
                    let class = &object.class;
                    return Err(BlockError::input(
                        port,
                        format_args!("a {class} cannot leave the worker that made it: {reason}"),
                    ));
                }
                *link = Some(Arc::clone(&object.link));
                Ok(json!({ "handle": object.handle, "as": form }))
            }
        }
    }

    /// What the block gets: its parameters as the workflow has them, then its inputs; several
    /// values at one input are a list.
    fn data(&self, cx: &Context<'_>, given: &[(&str, Given)], encoded: Vec<Json>) -> Json {
        let mut data: Vec<Json> = Vec::new();
        let mut parameters = Outgoing::default();
        for parameter in self.spec.parameters() {
            // Parameters are JSON of a workflow, which always crosses.
            let value = parameters.encode(cx.value(&parameter.name)).unwrap_or(Json::Null);
            data.push(json!([parameter.name, value]));
        }
        let mut ports: Vec<(&str, Vec<Json>)> = Vec::new();
        for ((port, _), value) in given.iter().zip(encoded) {
            match ports.iter_mut().find(|(name, _)| name == port) {
                Some((_, values)) => values.push(value),
                None => ports.push((port, vec![value])),
            }
        }
        for (port, mut values) in ports {
            let value = if values.len() == 1 { values.swap_remove(0) } else { values.into() };
            data.push(json!([port, value]));
        }
        data.into()
    }

    fn takers(&self, cx: &Context<'_>) -> Json {
        let outputs = self.spec.outputs().iter().enumerate().map(|(at, port)| {
            let takers = cx.takers(at);
            json!([port.name, { "native": takers.native, "foreign": takers.foreign }])
        });
        outputs.collect()
    }

    /// What came of it.
    fn outputs(
        &self,
        cx: &Context<'_>,
        worker: &mut Lease,
        packet: Packet,
        files: &Arc<[StagedFile]>,
    ) -> Result<Outputs, BlockError> {
        let Packet { message, descriptors } = packet;
        let text = |name| message.get(name).and_then(Json::as_str);
        if let Some(left) = text("left") {
            cx.log(format!("the block left {left} running; its worker is not used again"));
        }
        if let Some(changed) = text("changed") {
            cx.log(format!("the block changed {changed} for good; its worker is not used again"));
        }
        if let Some(error) = message.get("error") {
            let text = |name| error.get(name).and_then(Json::as_str).unwrap_or_default();
            return Err(BlockError::new(text("message")).with_details(text("traceback")));
        }
        let most = self.pool.settings.max_output;
        let memory = message.get("memory").and_then(Json::as_u64);
        let memory = memory.and_then(|at| descriptors.get(usize::try_from(at).ok()?));
        let incoming = Incoming { memory, most };
        let listed = message.get("outputs").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let mut values = Vec::new();
        for (port, output) in self.spec.outputs().iter().zip(listed) {
            let value = self.output(cx, worker, output, &incoming, files);
            values.push(
                value.map_err(|error| {
                    BlockError::new(format!("output \"{}\": {error}", port.name))
                })?,
            );
        }
        let outputs = Outputs::all(values);
        Ok(match message.get("shown") {
            Some(shown) => match display(shown, &descriptors)? {
                Some(display) => outputs.show(display),
                None => outputs,
            },
            None => outputs,
        })
    }

    fn output(
        &self,
        cx: &Context<'_>,
        worker: &mut Lease,
        output: &Json,
        incoming: &Incoming<'_>,
        files: &Arc<[StagedFile]>,
    ) -> Result<Value, CodecError> {
        if let Some(value) = output.get("value") {
            return incoming.decode(value);
        }
        let native = output.get("native").map(|native| incoming.decode(native)).transpose()?;
        let text = |name| output.get(name).and_then(Json::as_str);
        let class = text("type").unwrap_or("object");
        let described = python_object::described(class, text("refused"));
        let Some(handle) = output.get("handle").and_then(Json::as_u64) else {
            let nobody = text("type").is_some() && text("refused").is_none();
            let refused = || if nobody { Value::None } else { python_object::refused(described) };
            return Ok(native.unwrap_or_else(refused));
        };
        let size = output.get("size").and_then(Json::as_u64).unwrap_or_default();
        worker.link.hold();
        Ok(Value::object(PythonObject {
            link: Arc::clone(&worker.link),
            handle,
            code: Arc::clone(&self.code),
            owner: cx.owner(),
            class: class.to_owned(),
            described,
            size: usize::try_from(size).unwrap_or(usize::MAX).min(1 << 40),
            is_alone: output.get("alone").and_then(Json::as_bool).unwrap_or(false),
            native,
            files: Arc::clone(files),
            pickled: Mutex::default(),
            is_taken: false,
        }))
    }
}

fn display(
    shown: &Json,
    descriptors: &[std::os::fd::OwnedFd],
) -> Result<Option<Display>, BlockError> {
    use std::os::fd::AsFd;
    let text = |name| shown.get(name).and_then(Json::as_str);
    if text("kind") == Some("text") {
        return Ok(text("text").map(Display::text));
    }
    let (Some(kind), Some(file)) = (text("kind"), descriptors.first()) else { return Ok(None) };
    let bytes = memory::read_all(file.as_fd(), MOST_SHOWN).map_err(|error| {
        BlockError::of(BlockErrorKind::Failed, format!("what it shows cannot be read: {error}"))
    })?;
    // The name is uploaded code's: one component, without what systems give a meaning to.
    let name = text("name").unwrap_or("file");
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let name: String = name.chars().filter(|c| plain(*c)).take(100).collect();
    let name = name.trim_start_matches('.');
    let name = if name.is_empty() { "file" } else { name };
    Ok(Some(match kind {
        "graph" => Display::graph(name, bytes),
        _ => Display::file(name, bytes),
    }))
}
