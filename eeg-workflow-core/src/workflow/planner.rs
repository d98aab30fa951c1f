//! From a document to a plan: every name resolved, every rule checked.

use std::sync::Arc;

use foldhash::HashSet;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::cycle::shortest_cycle;
use super::diagnostic::Problems;
use super::document::{BlockNode, Document, EdgeEnd, EdgeNode};
use super::ids::IdIndex;
use super::plan::{Compiled, Node};
use super::rows::{Join, Rows};
use super::{BlockId, BlockIndex, Code, Diagnostic, InvalidWorkflow, Plan, Workflow};
use crate::block::{Block, Catalog, Execution, NotFound, Parameters, no_such_module};
use crate::guard;

/// The maximum number of blocks that composed blocks run, at all depths.
const MAX_INNER_BLOCKS: u64 = 100_000;

/// An input of a plan that is joined from outside: its values come when the plan is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenInput {
    /// The block.
    pub block: BlockId,
    /// Its input.
    pub port: String,
    /// How many values it will get.
    pub values: u32,
}

impl Workflow {
    /// Checks the whole document against the block types of `catalog`.
    ///
    /// # Errors
    /// Every problem that keeps the workflow from running, at once, and the warnings.
    pub fn plan(&self, catalog: &dyn Catalog) -> Result<Plan, InvalidWorkflow> {
        self.plan_open(catalog, &[])
    }

    /// As [`Workflow::plan`], for a workflow some of whose inputs are fed from outside.
    ///
    /// # Errors
    /// As [`Workflow::plan`].
    pub fn plan_open(
        &self,
        catalog: &dyn Catalog,
        open: &[OpenInput],
    ) -> Result<Plan, InvalidWorkflow> {
        // The catalog and the blocks' specs are somebody else's code.
        guard::call(|| {
            let mut planner = Planner::new(self.document());
            planner.find_blocks(catalog);
            planner.join_edges();
            planner.join_open(open);
            planner.finish()
        })
        .unwrap_or_else(|panic| {
            let message = format!("a block type panicked while the workflow was planned: {panic}");
            Err(Diagnostic::error(Code::Internal, String::new(), message).into())
        })
    }
}

struct Planner<'a> {
    document: &'a Document,
    index: IdIndex<'a>,
    nodes: Vec<Option<Node>>,
    joins: Vec<Join>,
    modules: Vec<String>,
    problems: Problems,
}

impl<'a> Planner<'a> {
    fn new(document: &'a Document) -> Self {
        let mut problems = document.problems.clone();
        let index = IdIndex::new(&document.blocks, &mut problems);
        Self {
            document,
            index,
            nodes: Vec::with_capacity(document.blocks.len()),
            joins: Vec::with_capacity(document.edges.len()),
            modules: Vec::new(),
            problems,
        }
    }

    fn find_blocks(&mut self, catalog: &dyn Catalog) {
        let mut modules = HashSet::default();
        let mut inner_blocks: u64 = 0;
        // Neighbours are often of one type: the one found last is looked at first.
        let mut last: Option<(&str, &str, &Arc<dyn Block>)> = None;
        let mut defaults: Option<(*const (), Parameters)> = None;
        for (position, node) in self.document.blocks.iter().enumerate() {
            let (Some(module), Some(block_type)) = (&node.module, &node.block_type) else {
                self.nodes.push(None);
                continue;
            };
            let (module, block_type) = (self.document.str(module), self.document.str(block_type));
            let block = match last {
                Some((m, t, block)) if m == module && t == block_type => block,
                _ => match catalog.find(module, block_type) {
                    Ok(block) => {
                        if modules.insert(module) {
                            self.modules.push(module.to_owned());
                        }
                        last = Some((module, block_type, block));
                        block
                    }
                    Err(not_found) => {
                        self.not_found(position, node, [module, block_type], not_found, catalog);
                        self.nodes.push(None);
                        continue;
                    }
                },
            };
            inner_blocks = inner_blocks.saturating_add(block.spec().composition.inner_blocks);
            let parameters = if node.values.is_none() && !block.spec().parameters().is_empty() {
                let key = Arc::as_ptr(block).cast::<()>();
                match &defaults {
                    Some((known, parameters)) if *known == key => Some(parameters.clone()),
                    _ => {
                        let parameters = self.parameters(position, node, &**block);
                        defaults = parameters.clone().map(|parameters| (key, parameters));
                        parameters
                    }
                }
            } else {
                self.parameters(position, node, &**block)
            };
            self.nodes.push(Some(Node {
                waits: block.spec().execution() == Execution::Wait,
                slots: 0..0,
                deliveries: 0..0,
                block: Arc::clone(block),
                parameters: parameters.unwrap_or_default(),
            }));
        }
        if inner_blocks > MAX_INNER_BLOCKS {
            let message = format!(
                "the workflow's blocks run {inner_blocks} inner blocks (at most {MAX_INNER_BLOCKS})"
            );
            let at = "/blocks".to_owned();
            self.problems.add(Diagnostic::error(Code::TooManyInnerBlocks, at, message));
        }
    }

    fn not_found(
        &mut self,
        position: usize,
        node: &BlockNode,
        [module, block_type]: [&str; 2],
        not_found: NotFound,
        catalog: &dyn Catalog,
    ) {
        let (code, key, message) = match not_found {
            NotFound::Module => (Code::UnknownModule, "module", no_such_module(module, catalog)),
            NotFound::BlockType => (
                Code::UnknownBlockType,
                "type",
                format!("module \"{module}\" has no block \"{block_type}\""),
            ),
        };
        let message = format!("{}: {message}", label(node, block_type));
        let diagnostic = Diagnostic::error(code, format!("/blocks/{position}/{key}"), message);
        self.problems.add(with_block(diagnostic, node));
    }

    fn parameters(
        &mut self,
        position: usize,
        node: &BlockNode,
        block: &dyn Block,
    ) -> Option<Parameters> {
        let spec = block.spec();
        let text = node.values.as_ref().map_or("{}", |values| self.document.str(values));
        if spec.parameters().is_empty() && text == "{}" {
            return Some(Parameters::default());
        }
        let at = format!("/blocks/{position}/values");
        let values: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(text) {
            Ok(Some(values)) => values,
            Ok(None) => serde_json::Map::new(),
            Err(_) => {
                let message = format!("{}: the values must be an object", label(node, spec.name()));
                self.problems
                    .add(with_block(Diagnostic::error(Code::WrongType, at, message), node));
                return None;
            }
        };
        for name in values.keys() {
            if !spec.parameters().iter().any(|parameter| parameter.name == *name) {
                let message = format!("{}: no parameter \"{name}\"", label(node, spec.name()));
                let pointer = format!("{at}/{}", escape(name));
                let diagnostic = Diagnostic::error(Code::UnknownParameter, pointer, message);
                self.problems.add(with_block(diagnostic, node).parameter(name).warning_if(true));
            }
        }
        let (parameters, errors) = Parameters::resolve_all(spec, |name| values.get(name));
        let is_lenient = spec.checks_own_values();
        let fine = errors.is_empty() || is_lenient;
        for error in errors {
            let message = format!("{}: {error}", label(node, spec.name()));
            let pointer = format!("{at}/{}", escape(&error.name));
            let diagnostic = Diagnostic::error(Code::InvalidParameter, pointer, message);
            let diagnostic = with_block(diagnostic, node).parameter(&error.name);
            self.problems.add(diagnostic.warning_if(is_lenient));
        }
        fine.then_some(parameters)
    }

    fn join_edges(&mut self) {
        for edge in &self.document.edges {
            let [first, second] = &edge.ends;
            let (output, input, keys) = match (first.is_input, second.is_input) {
                (false, true) => (first, second, ["block1", "block2"]),
                (true, false) => (second, first, ["block2", "block1"]),
                (is_input, _) => {
                    let what = if is_input { "inputs" } else { "outputs" };
                    let message = format!(
                        "the edge joins two {what}, \"{}\" of block {} and \"{}\" of block {}",
                        self.document.str(&first.port),
                        first.block,
                        self.document.str(&second.port),
                        second.block
                    );
                    let pointer = format!("/edges/{}", edge.index);
                    self.problems.add(Diagnostic::error(Code::EdgeDirection, pointer, message));
                    continue;
                }
            };
            let source = self.end(edge, output, keys[0]);
            let target = self.end(edge, input, keys[1]);
            if let (Some(source), Some(target)) = (source, target) {
                self.join(edge, source, target);
            }
        }
    }

    /// The block and port at an end of an edge, if both are there.
    fn end(&mut self, edge: &EdgeNode, end: &EdgeEnd, key: &str) -> Option<(u32, u16)> {
        let at = format_args!("/edges/{}/", edge.index);
        let Some(index) = self.index.get(&end.block) else {
            let message = format!("the edge joins block {}, which is not there", end.block);
            let diagnostic = Diagnostic::error(Code::DanglingEdge, format!("{at}{key}"), message);
            self.problems.add(diagnostic.block(&end.block));
            return None;
        };
        let spec = self.nodes.get(index as usize)?.as_ref()?.block.spec();
        let name = self.document.str(&end.port);
        let (port, ports) = match end.is_input {
            true => (spec.input_index(name), spec.inputs()),
            false => (spec.output_index(name), spec.outputs()),
        };
        let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
            let what = if end.is_input { "input" } else { "output" };
            let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            let message = format!(
                "block {} ({}) has no {what} \"{name}\" (it has: {known})",
                end.block,
                spec.name()
            );
            let connector = key.replace("block", "connector");
            let pointer = format!("{at}{connector}");
            let diagnostic = Diagnostic::error(Code::UnknownPort, pointer, message);
            self.problems.add(diagnostic.block(&end.block).port(name));
            return None;
        };
        Some((index, port))
    }

    fn join(&mut self, edge: &EdgeNode, source: (u32, u16), target: (u32, u16)) {
        let spec = |(block, _): (u32, u16)| {
            self.nodes.get(block as usize)?.as_ref().map(|node| node.block.spec())
        };
        let (Some(from), Some(to)) = (spec(source), spec(target)) else { return };
        let output = from.outputs().get(usize::from(source.1));
        let input = to.inputs().get(usize::from(target.1));
        let (Some(output), Some(input)) = (output, input) else { return };
        if !output.port_type.fits(&input.port_type) {
            let checked = from.checks_own_values() || to.checks_own_values();
            let (source_id, target_id) = (self.index.name(source.0), self.index.name(target.0));
            let message = format!(
                "output \"{}\" of block {source_id} gives {}, input \"{}\" of block {target_id} \
                 takes {}",
                output.name, output.port_type, input.name, input.port_type
            );
            let pointer = format!("/edges/{}", edge.index);
            let mut diagnostic =
                Diagnostic::error(Code::TypeMismatch, pointer, message).port(&input.name);
            diagnostic.block = self.index.id(target.0).cloned();
            self.problems.add(diagnostic.warning_if(checked));
        }
        self.joins.push(Join {
            source: Some(source),
            target: target.0,
            input: target.1,
            edge: edge.index,
        });
    }

    fn join_open(&mut self, open: &[OpenInput]) {
        for input in open {
            let found = self.index.get(&input.block).and_then(|index| {
                let node = self.nodes.get(index as usize)?.as_ref()?;
                let port = node.block.spec().input_index(&input.port)?;
                Some((index, u16::try_from(port).ok()?))
            });
            let Some((target, port)) = found else {
                let message =
                    format!("there is no input \"{}\" of block {}", input.port, input.block);
                let diagnostic = Diagnostic::error(Code::UnknownPort, String::new(), message);
                self.problems.add(diagnostic.block(&input.block).port(&input.port));
                continue;
            };
            if self.joins.iter().any(|join| join.target == target && join.input == port) {
                let message = format!(
                    "input \"{}\" of block {} is fed from outside and joined by an edge",
                    input.port, input.block
                );
                let diagnostic = Diagnostic::error(Code::TooManyEdges, String::new(), message);
                self.problems.add(diagnostic.block(&input.block).port(&input.port));
                continue;
            }
            for _ in 0..input.values {
                self.joins.push(Join { source: None, target, input: port, edge: u32::MAX });
            }
        }
    }

    fn finish(mut self) -> Result<Plan, InvalidWorkflow> {
        let rows = match Rows::new(self.nodes.len(), &self.joins) {
            Ok(rows) => rows,
            Err(error) => {
                debug_assert!(false, "{error}");
                let diagnostic =
                    Diagnostic::error(Code::Internal, String::new(), error.to_string());
                self.problems.add(diagnostic);
                Rows::default()
            }
        };
        self.check_cardinalities(&rows);
        let graph = self.graph();
        if toposort(&graph, None).is_err() {
            self.report_cycles(&graph);
        }
        if self.problems.any_errors() {
            return Err(InvalidWorkflow { diagnostics: self.problems.into_list() });
        }
        let ids = self.document.blocks.iter().filter_map(|node| node.id.clone()).collect();
        let mut nodes: Vec<Node> = self.nodes.into_iter().flatten().collect();
        for (block, node) in (0..).zip(&mut nodes) {
            node.slots = rows.slots(block);
            node.deliveries = rows.delivery_row(block);
        }
        let (modules, warnings) = (self.modules, self.problems.into_list());
        Ok(Plan(Arc::new(Compiled { ids, nodes, rows, graph, modules, warnings })))
    }

    fn check_cardinalities(&mut self, rows: &Rows) {
        let mut found = Vec::new();
        for (position, node) in (0..).zip(&self.nodes) {
            let Some(node) = node else { continue };
            let spec = node.block.spec();
            if spec.inputs().is_empty() {
                continue;
            }
            let slots = rows.slots(position);
            let ports = rows.slot_ports(slots.start as usize..slots.end as usize);
            for (index, port) in spec.inputs().iter().enumerate() {
                let joined = ports.iter().filter(|port| usize::from(**port) == index);
                let (joined, allowed) = (joined.count() as u64, port.cardinality);
                let code = if joined < u64::from(allowed.min) {
                    Code::TooFewEdges
                } else if joined > u64::from(allowed.max) {
                    Code::TooManyEdges
                } else {
                    continue;
                };
                found.push((position as usize, code, index, joined));
            }
        }
        for (position, code, index, joined) in found {
            let document = self.document;
            let Some(node) = document.blocks.get(position) else { continue };
            let Some(Some(planned)) = self.nodes.get(position) else { continue };
            let spec = planned.block.spec();
            let Some(port) = spec.inputs().get(index) else { continue };
            let needs = match code {
                Code::TooFewEdges => format!("needs at least {}", port.cardinality.min),
                _ => format!("takes at most {}", port.cardinality.max),
            };
            let edges = if joined == 1 { "edge joins" } else { "edges join" };
            let message = format!(
                "{}: {joined} {edges} input \"{}\", which {needs}",
                label(node, spec.name()),
                port.name
            );
            let pointer = format!("/blocks/{position}");
            // Code that checks its own values may treat an input as optional.
            let is_optional = code == Code::TooFewEdges && spec.checks_own_values();
            let diagnostic = Diagnostic::error(code, pointer, message).port(&port.name);
            self.problems.add(with_block(diagnostic, node).warning_if(is_optional));
        }
    }

    fn graph(&self) -> DiGraph<BlockIndex, u32> {
        let mut graph = DiGraph::with_capacity(self.nodes.len(), self.joins.len());
        for position in 0..self.nodes.len() as u32 {
            graph.add_node(BlockIndex(position));
        }
        for join in &self.joins {
            if let Some((source, _)) = join.source {
                let node = |block| NodeIndex::new(block as usize);
                graph.add_edge(node(source), node(join.target), join.edge);
            }
        }
        graph
    }

    /// One shortest cycle for each group of blocks that wait for each other.
    fn report_cycles(&mut self, graph: &DiGraph<BlockIndex, u32>) {
        for group in kosaraju_scc(graph) {
            let Some(start) = group.iter().min().copied() else { continue };
            let members: HashSet<NodeIndex> = group.into_iter().collect();
            let Some(cycle) = shortest_cycle(graph, start, &members) else { continue };
            let mut names: Vec<String> =
                cycle.iter().map(|node| self.index.name(node.index() as u32)).collect();
            if names.len() > 20 {
                let skipped = names.len() - 19;
                names.splice(10..10 + skipped, [format!("… {skipped} more …")]);
            }
            let message = format!("blocks wait for each other: {}", names.join(" → "));
            let edge = cycle.first().zip(cycle.get(1)).and_then(|(from, to)| {
                graph.find_edge(*from, *to).and_then(|edge| graph.edge_weight(edge))
            });
            let pointer = edge.map_or_else(String::new, |edge| format!("/edges/{edge}"));
            let mut diagnostic = Diagnostic::error(Code::Cycle, pointer, message);
            diagnostic.block = self.index.id(start.index() as u32).cloned();
            self.problems.add(diagnostic);
        }
    }
}

fn label(node: &BlockNode, block_type: &str) -> String {
    match &node.id {
        Some(id) => format!("block {id} ({block_type})"),
        None => format!("a block without an id ({block_type})"),
    }
}

fn with_block(diagnostic: Diagnostic, node: &BlockNode) -> Diagnostic {
    match &node.id {
        Some(id) => diagnostic.block(id),
        None => diagnostic,
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
