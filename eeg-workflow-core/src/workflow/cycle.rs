//! Finding a cycle to show.

use foldhash::{HashMap, HashSet};
use petgraph::graph::{DiGraph, NodeIndex};

use super::BlockIndex;

/// The shortest path from `start` back to itself within `members`, both ends included.
pub(super) fn shortest_cycle(
    graph: &DiGraph<BlockIndex, u32>,
    start: NodeIndex,
    members: &HashSet<NodeIndex>,
) -> Option<Vec<NodeIndex>> {
    let mut came_from = HashMap::default();
    let mut queue = std::collections::VecDeque::from([start]);
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
