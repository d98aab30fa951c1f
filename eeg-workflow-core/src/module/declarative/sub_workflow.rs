//! A block type that is a workflow of others.

use std::sync::Arc;

use foldhash::{HashMap, HashSet};
use serde_json::{Map, Value as Json};

use super::manifest::{BlockType, InnerPort, SubWorkflow};
use super::place::Problem;
use super::preset::to_json;
use crate::block::{
    Block, BlockError, BlockSpec, Cardinality, Catalog, Context, Execution, Inputs, NotFound,
    Outputs, Parameter, Port, Volatility,
};
use crate::engine::{Keep, nested};
use crate::workflow::{
    BlockId, BlockIndex, Code, Diagnostic, InvalidWorkflow, OpenInput, OpenPlan, Severity, Workflow,
};

/// Runs a workflow with the block's inputs and parameters put where the manifest says.
///
/// The workflow is planned anew in each run: its plan depends on the parameters and on how many
/// values each input has, and planning takes microseconds.
pub(super) struct SubWorkflowBlock {
    spec: BlockSpec,
    document: Json,
    /// The block types that the document names.
    used: Used,
    /// For each input of the spec, where its values go.
    inputs: Vec<Vec<Target>>,
    /// For each output of the spec, where its value comes from.
    outputs: Vec<Target>,
    /// For each parameter of the spec, where its value goes.
    parameters: Vec<Vec<Target>>,
    shows: Option<BlockIndex>,
}

/// A port or a parameter in the document.
struct Target {
    block: BlockIndex,
    inner: InnerPort,
    /// The position among the block's inputs, outputs or parameters.
    index: usize,
}

/// The block types that a document names, as it names them.
#[derive(Default)]
struct Used(HashMap<String, HashMap<String, Arc<dyn Block>>>);

impl Catalog for Used {
    fn find(&self, module: &str, block_type: &str) -> Result<&Arc<dyn Block>, NotFound> {
        let module = self.0.get(module).ok_or(NotFound::Module)?;
        module.get(block_type).ok_or(NotFound::BlockType)
    }
}

impl Used {
    /// A block is as volatile as the most volatile of its inner blocks, and waits for them.
    fn characterise(&self, spec: BlockSpec) -> BlockSpec {
        let specs = || self.0.values().flat_map(HashMap::values).map(|block| block.spec());
        let least = specs().map(BlockSpec::volatility).max_by_key(|class| match class {
            Volatility::Pure => 0,
            Volatility::Versioned => 1,
            Volatility::Volatile => 2,
        });
        let spec =
            spec.with_volatility(least.unwrap_or(Volatility::Pure)).with_execution(Execution::Wait);
        let own = specs().any(BlockSpec::checks_own_values);
        if own { spec.with_own_checks() } else { spec }
    }
}

impl SubWorkflowBlock {
    /// `spec` has the name, family and description; `uses` are the block types in the document.
    pub(super) fn new(
        spec: BlockSpec,
        workflow: SubWorkflow,
        uses: impl IntoIterator<Item = BlockType>,
        catalog: &dyn Catalog,
    ) -> Result<Self, Problem> {
        let inside = Inside::new(&workflow, catalog);
        let mut used = Used::default();
        for BlockType { module, name } in uses {
            // What is not found is reported by planning, with its place.
            if let Ok(block) = catalog.find(&module, &name) {
                used.0.entry(module).or_default().insert(name, Arc::clone(block));
            }
        }

        let (spec, inputs) = inside.inputs(spec)?;
        let (spec, parameters, empty) = inside.parameters(spec)?;
        let (spec, outputs) = inside.outputs(spec)?;
        let shows = match &workflow.shows {
            Some(id) => {
                let shown = inside.index.get(id).copied();
                let text = format!("the workflow has no block {id}");
                let pointer = format!("{}/shows", workflow.pointer);
                Some(shown.ok_or_else(|| Problem::new(pointer, text))?)
            }
            None => None,
        };
        let spec = used.characterise(spec);
        let (document, pointer) = (workflow.document, workflow.document_pointer);
        let block = Self { spec, document, used, inputs, outputs, parameters, shows };
        block.check(&pointer, &empty)?;
        Ok(block)
    }

    /// Plans with the defaults.
    fn check(&self, pointer: &str, empty: &HashSet<(BlockId, String)>) -> Result<(), Problem> {
        let defaults = self.spec.parameters().iter().map(|parameter| parameter.default.clone());
        let counts: Vec<u32> = self.spec.inputs().iter().map(|port| port.cardinality.min).collect();
        let Err(mut invalid) = self.plan(defaults, &counts) else { return Ok(()) };
        let to_be_filled_in = |diagnostic: &Diagnostic| {
            let place = diagnostic.block.clone().zip(diagnostic.parameter.clone());
            diagnostic.code == Code::InvalidParameter
                && place.is_some_and(|place| empty.contains(&place))
        };
        invalid.diagnostics.retain(|diagnostic| !to_be_filled_in(diagnostic));
        if invalid.diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
            return Ok(());
        }
        let text = format!("the workflow is invalid: {invalid}");
        Err(Problem { pointer: pointer.to_owned(), text, diagnostics: invalid.diagnostics })
    }

    /// The plan with these parameters, and with this number of values at each input.
    fn plan(
        &self,
        values: impl Iterator<Item = Json>,
        counts: &[u32],
    ) -> Result<OpenPlan, InvalidWorkflow> {
        let mut document = self.document.clone();
        for (targets, value) in self.parameters.iter().zip(values) {
            for target in targets {
                set(&mut document, target, value.clone());
            }
        }
        let open = self.inputs.iter().zip(counts).flat_map(|(targets, values)| {
            targets.iter().map(|target| OpenInput {
                block: target.inner.block.clone(),
                port: target.inner.name.clone(),
                values: *values,
            })
        });
        let open: Vec<OpenInput> = open.collect();
        Workflow::from_json(&document.to_string())?.plan_open(&self.used, &open)
    }
}

impl Block for SubWorkflowBlock {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, cx: &Context<'_>, inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let mut given = vec![Vec::new(); self.spec.inputs().len()];
        for (name, value) in inputs.take_every() {
            let values = self.spec.input_index(name).and_then(|index| given.get_mut(index));
            values.unwrap_or(&mut Vec::new()).push(value);
        }
        let counts: Vec<u32> =
            given.iter().map(|values| u32::try_from(values.len()).unwrap_or(u32::MAX)).collect();
        let parameters = self.spec.parameters().iter();
        let values = parameters.map(|parameter| to_json(cx.value(&parameter.name)));
        let plan = self.plan(values, &counts).map_err(BlockError::from_error)?;

        let mut feeds = Vec::new();
        for (targets, mut values) in self.inputs.iter().zip(given) {
            for (i, target) in targets.iter().enumerate() {
                // The last one gets the block's own share, so that it may change it in place.
                let last = i + 1 == targets.len();
                let share = if last { std::mem::take(&mut values) } else { values.clone() };
                feeds.push((target.block, target.index, share));
            }
        }
        let kept = self.outputs.iter().map(|target| (target.block, target.index)).collect();
        let report = nested::run(cx, &plan, feeds, Keep::Outputs(kept), None)?;

        if let Some((block, error)) = report.failures().into_iter().next() {
            let name = report.plan().block(block).map_or("", |block| block.spec().name());
            let id = report.plan().id(block).map(ToString::to_string).unwrap_or_default();
            let inner = format!("inner block {id} ({name})");
            let message = format!("{inner}: {error}");
            let details = format!("{inner}: {}", error.details());
            return Err(BlockError::of(error.kind(), message).with_details(details));
        }
        let outputs = self.outputs.iter();
        let outputs = outputs
            .map(|target| report.kept(target.block, target.index).cloned().unwrap_or_default());
        let outputs = Outputs::all(outputs);
        let shown = self.shows.and_then(|block| report.display(block));
        Ok(match shown {
            Some(display) => outputs.show((**display).clone()),
            None => outputs,
        })
    }
}

impl InnerPort {
    fn problem(&self, text: impl Into<String>) -> Problem {
        Problem::new(&self.pointer, text)
    }
}

/// A spec with parameters, where their values go, and which of those places are empty.
type Declared = (BlockSpec, Vec<Vec<Target>>, HashSet<(BlockId, String)>);

/// The document's blocks and their specs, while a block is made.
struct Inside<'a> {
    workflow: &'a SubWorkflow,
    catalog: &'a dyn Catalog,
    /// The blocks' positions by their ids.
    index: HashMap<BlockId, BlockIndex>,
}

impl<'a> Inside<'a> {
    fn new(workflow: &'a SubWorkflow, catalog: &'a dyn Catalog) -> Self {
        let blocks = workflow.blocks().iter().zip((0..).map(BlockIndex));
        let id = |block: &Json| match block.get("id")? {
            Json::String(text) => Some(BlockId::Text(text.as_str().into())),
            id => id.as_i64().map(BlockId::Integer),
        };
        // An id that is there twice is reported by planning.
        let index = blocks.filter_map(|(block, index)| Some((id(block)?, index))).collect();
        Self { workflow, catalog, index }
    }

    /// Declares the inputs.
    fn inputs(&self, mut spec: BlockSpec) -> Result<(BlockSpec, Vec<Vec<Target>>), Problem> {
        let mut inputs = Vec::new();
        let mut fed = HashSet::default();
        for input in &self.workflow.inputs {
            let targets = self.targets(&input.at, Self::input)?;
            let Some((_, first)) = targets.first() else { continue };
            let port_type = input.port_type.as_ref().unwrap_or(&first.port_type).clone();
            let Cardinality { min, max } = first.cardinality;
            let (min, max) = input.card.unwrap_or((min, max));
            for (target, port) in &targets {
                let cardinality = port.cardinality;
                let problem = if !port.takes(&port_type) {
                    format!("{port_type} does not fit the input's {}", port.types())
                } else if min < cardinality.min || max > cardinality.max {
                    format!("the input takes {cardinality} edges, not {min}-{max}")
                } else if !fed.insert((target.block, target.index)) {
                    "this input is fed twice".to_owned()
                } else {
                    continue;
                };
                return Err(target.inner.problem(problem));
            }
            let derived = input.port_type.is_none();
            spec = spec.input(&input.name, port_type, min..=max);
            if derived {
                spec = first.other_types.iter().cloned().fold(spec, BlockSpec::or_type);
                spec = spec.described(&first.help);
            }
            inputs.push(targets.into_iter().map(|(target, _)| target).collect());
        }
        Ok((spec, inputs))
    }

    /// Declares the parameters. Also gives those in the document that are empty by default:
    /// they may have to be filled in before it can be planned.
    fn parameters(&self, mut spec: BlockSpec) -> Result<Declared, Problem> {
        let mut parameters = Vec::new();
        let mut empty = HashSet::default();
        for parameter in &self.workflow.parameters {
            let targets = self.targets(&parameter.at, Self::parameter)?;
            let Some((first, inside)) = targets.first() else { continue };
            let port_type = parameter.port_type.as_ref().unwrap_or(&inside.port_type).clone();
            let default = parameter.default.as_ref().or_else(|| self.value(first));
            let default = default.unwrap_or(&inside.default).clone();
            if default.is_null() || default.as_str().is_some_and(|text| text.trim().is_empty()) {
                let places = targets.iter().map(|(target, _)| &target.inner);
                empty.extend(places.map(|inner| (inner.block.clone(), inner.name.clone())));
            }
            let required = targets.iter().any(|(_, parameter)| parameter.required);
            let (name, description) = (parameter.name.clone(), parameter.description.clone());
            let declared = Parameter::new(name, port_type, default, description);
            spec = spec.with_parameter(Parameter { required, ..declared });
            parameters.push(targets.into_iter().map(|(target, _)| target).collect());
        }
        Ok((spec, parameters, empty))
    }

    /// Declares the outputs.
    fn outputs(&self, mut spec: BlockSpec) -> Result<(BlockSpec, Vec<Target>), Problem> {
        let mut outputs = Vec::new();
        for output in &self.workflow.outputs {
            let (target, Port { port_type: inside, .. }) =
                self.target(&output.from, Self::output)?;
            let port_type = output.port_type.as_ref().unwrap_or(inside).clone();
            if !inside.fits(&port_type) {
                let text = format!("the output's {inside} does not fit {port_type}");
                return Err(target.inner.problem(text));
            }
            spec = spec.output_with(&output.name, port_type, output.card.0..=output.card.1);
            outputs.push(target);
        }
        Ok((spec, outputs))
    }

    /// Where an inner port or parameter is, and its declaration as `find` finds it in a spec.
    fn target<T>(
        &self,
        inner: &InnerPort,
        find: fn(&'a BlockSpec, &str) -> Option<(usize, &'a T)>,
    ) -> Result<(Target, &'a T), Problem> {
        let id = &inner.block;
        let no_block = || inner.problem(format!("the workflow has no block {id}"));
        let block = self.index.get(id).copied().ok_or_else(no_block)?;
        let json = self.workflow.blocks().get(block.0 as usize);
        let text = |field| json.and_then(|json| json.get(field)?.as_str()).unwrap_or_default();
        let (module, block_type) = (text("module"), text("type"));
        let found = self.catalog.find(module, block_type).map_err(|_| {
            inner.problem(format!(
                "block {id} has the unknown type \"{block_type}\" of \"{module}\""
            ))
        })?;
        let (index, declared) = find(found.spec(), &inner.name).ok_or_else(|| {
            inner.problem(format!("block {id} ({block_type}) has no field \"{}\"", inner.name))
        })?;
        Ok((Target { block, inner: inner.clone(), index }, declared))
    }

    fn targets<T>(
        &self,
        inner: &[InnerPort],
        find: fn(&'a BlockSpec, &str) -> Option<(usize, &'a T)>,
    ) -> Result<Vec<(Target, &'a T)>, Problem> {
        inner.iter().map(|inner| self.target(inner, find)).collect()
    }

    fn input(spec: &'a BlockSpec, name: &str) -> Option<(usize, &'a Port)> {
        spec.inputs().iter().enumerate().find(|(_, port)| port.name == name)
    }

    fn output(spec: &'a BlockSpec, name: &str) -> Option<(usize, &'a Port)> {
        spec.outputs().iter().enumerate().find(|(_, port)| port.name == name)
    }

    fn parameter(spec: &'a BlockSpec, name: &str) -> Option<(usize, &'a Parameter)> {
        spec.parameters().iter().enumerate().find(|(_, parameter)| parameter.name == name)
    }

    /// The value that the document gives a parameter.
    fn value(&self, target: &Target) -> Option<&'a Json> {
        let block = self.workflow.blocks().get(target.block.0 as usize)?;
        block.get("values")?.get(&target.inner.name)
    }
}

/// Puts a value into the document.
fn set(document: &mut Json, target: &Target, value: Json) {
    let block = document
        .get_mut("blocks")
        .and_then(|blocks| blocks.get_mut(target.block.0 as usize).and_then(Json::as_object_mut));
    let Some(block) = block else { return };
    let values = block.entry("values").or_insert(Json::Null);
    if !values.is_object() {
        *values = Json::Object(Map::new());
    }
    if let Some(values) = values.as_object_mut() {
        values.insert(target.inner.name.clone(), value);
    }
}
