//! What must hold for the graph as a whole: how many edges an input takes, and no cycles.

use std::collections::VecDeque;

use foldhash::{HashMap, HashSet};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::super::rows::Rows;
use super::super::{BlockIndex, Code, Diagnostic};
use super::{Planner, label, with_block};

impl Planner<'_> {
    pub(super) fn check_cardinalities(&mut self, rows: &Rows) {
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

    /// One shortest cycle for each group of blocks that wait for each other.
    pub(super) fn report_cycles(&mut self, graph: &DiGraph<BlockIndex, u32>) {
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

/// The shortest path from `start` back to itself within `members`, both ends included.
fn shortest_cycle(
    graph: &DiGraph<BlockIndex, u32>,
    start: NodeIndex,
    members: &HashSet<NodeIndex>,
) -> Option<Vec<NodeIndex>> {
    let mut came_from = HashMap::default();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.neighbors(node) {
            if next == start {
                let mut path = vec![start, node];
                let mut at = node;
                while at != start {
                    at = *came_from.get(&at)?;
                    path.push(at);
                }
                path.reverse();
                return Some(path);
            }
            if members.contains(&next) && !came_from.contains_key(&next) {
                came_from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    None
}
