//! A workflow that can run.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use super::rows::{Delivery, Rows};
use super::{BlockId, Diagnostic};
use crate::block::{Block, Parameters};

/// A validated workflow: every block found, every edge typed, no cycles. Cheap to clone, and
/// only a plan can run.
#[derive(Clone)]
pub struct Plan(pub(super) Arc<Compiled>);

/// A plan some of whose inputs get their values from outside: a block that is declared to wait
/// runs it [inside its own run](crate::engine::nested::run), with these values.
#[derive(Clone, Debug)]
pub struct OpenPlan(pub(crate) Plan);

/// A plan of which nothing is open.
impl From<Plan> for OpenPlan {
    fn from(plan: Plan) -> Self {
        Self(plan)
    }
}

/// The position of a block in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockIndex(pub u32);

pub(super) struct Compiled {
    pub(super) ids: Vec<BlockId>,
    pub(super) nodes: Vec<Node>,
    pub(super) rows: Rows,
    pub(super) graph: DiGraph<BlockIndex, u32>,
    pub(super) modules: Vec<String>,
    pub(super) warnings: Vec<Diagnostic>,
}

/// All that the engine needs of a block, in one place: it is looked up once.
pub(crate) struct Node {
    pub(crate) block: Arc<dyn Block>,
    pub(crate) parameters: Parameters,
    /// The slots of its inputs.
    pub(crate) slots: Range<u32>,
    /// Its rows of the deliveries.
    pub(crate) deliveries: Range<u32>,
    /// Whether the block waits for something outside and holds no core.
    pub(crate) waits: bool,
}

impl Plan {
    /// How many blocks the plan has.
    pub fn len(&self) -> usize {
        self.0.nodes.len()
    }

    /// Whether the plan has no blocks.
    pub fn is_empty(&self) -> bool {
        self.0.nodes.is_empty()
    }

    /// All blocks, in the order of the document.
    pub fn indices(&self) -> impl Iterator<Item = BlockIndex> + use<> {
        (0..self.0.nodes.len() as u32).map(BlockIndex)
    }

    /// The id of a block in the document; none if the plan has no such block.
    pub fn id(&self, block: BlockIndex) -> Option<&BlockId> {
        self.0.ids.get(block.0 as usize)
    }

    /// The block of this id.
    pub fn index_of(&self, id: &BlockId) -> Option<BlockIndex> {
        self.0.ids.iter().position(|other| other == id).map(|index| BlockIndex(index as u32))
    }

    /// The implementation of a block.
    pub fn block(&self, block: BlockIndex) -> Option<&Arc<dyn Block>> {
        self.0.nodes.get(block.0 as usize).map(|node| &node.block)
    }

    /// The blocks whose outputs a block takes, one for each edge.
    pub fn predecessors(&self, block: BlockIndex) -> impl Iterator<Item = BlockIndex> {
        self.neighbours(block, Direction::Incoming)
    }

    /// The blocks that take a block's outputs, one for each edge.
    pub fn successors(&self, block: BlockIndex) -> impl Iterator<Item = BlockIndex> {
        self.neighbours(block, Direction::Outgoing)
    }

    fn neighbours(
        &self,
        block: BlockIndex,
        direction: Direction,
    ) -> impl Iterator<Item = BlockIndex> {
        let graph = &self.0.graph;
        graph
            .neighbors_directed(NodeIndex::new(block.0 as usize), direction)
            .filter_map(|node| graph.node_weight(node).copied())
    }

    /// The graph, for algorithms of petgraph's: nodes are blocks in the order of the document,
    /// edges carry their position in the document's list.
    pub fn graph(&self) -> &DiGraph<BlockIndex, u32> {
        &self.0.graph
    }

    /// The full names of the modules that the workflow uses.
    pub fn modules(&self) -> &[String] {
        &self.0.modules
    }

    /// The warnings: what looks wrong about the workflow but does not keep it from running.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.0.warnings
    }

    pub(crate) fn node(&self, block: u32) -> Option<&Node> {
        self.0.nodes.get(block as usize)
    }

    pub(crate) fn slot_count(&self) -> usize {
        self.0.rows.slot_count()
    }

    pub(crate) fn slots(&self, block: u32) -> Range<usize> {
        self.node(block).map_or(0..0, |node| range(&node.slots))
    }

    pub(crate) fn slot_ports(&self, slots: Range<usize>) -> &[u16] {
        self.0.rows.slot_ports(slots)
    }

    pub(crate) fn deliveries(&self, block: u32) -> &[Delivery] {
        let row = self.node(block).map_or(0..0, |node| range(&node.deliveries));
        self.0.rows.deliveries(row)
    }

    pub(crate) fn in_degrees(&self) -> &[u32] {
        self.0.rows.in_degrees()
    }

    pub(crate) fn roots(&self) -> &[u32] {
        self.0.rows.roots()
    }
}

fn range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("blocks", &self.len())
            .field("edges", &self.0.rows.delivery_count())
            .finish_non_exhaustive()
    }
}
