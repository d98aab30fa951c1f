//! From a document to a plan: every name resolved, every rule checked.

mod blocks;
mod edges;
mod rules;

use std::sync::Arc;

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use super::diagnostic::Problems;
use super::id_index::IdIndex;
use super::nodes::{BlockNode, Document};
use super::plan::{Compiled, Node};
use super::rows::{Join, Rows};
use super::{BlockId, BlockIndex, Code, Diagnostic, InvalidWorkflow, OpenPlan, Plan, Workflow};
use crate::block::Catalog;
use crate::guard;

/// An input that is fed from outside: its values come when the plan is run.
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
        self.plan_open(catalog, &[]).map(|plan| plan.0)
    }

    /// As [`Workflow::plan`], for a workflow some of whose inputs are fed from outside.
    ///
    /// # Errors
    /// As [`Workflow::plan`].
    pub fn plan_open(
        &self,
        catalog: &dyn Catalog,
        open: &[OpenInput],
    ) -> Result<OpenPlan, InvalidWorkflow> {
        // The catalog and the blocks' specs are somebody else's code.
        guard::call(|| {
            let mut planner = Planner::new(self.document());
            planner.find_blocks(catalog);
            planner.join_edges();
            planner.join_open(open);
            planner.finish().map(OpenPlan)
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
