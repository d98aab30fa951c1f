//! The edges of a document, and the inputs that are fed from outside: which output is joined to
//! which input.

use super::super::nodes::{EdgeEnd, EdgeNode};
use super::super::rows::Join;
use super::super::{Code, Diagnostic};
use super::{OpenInput, Planner};

impl Planner<'_> {
    pub(super) fn join_edges(&mut self) {
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
        if !input.takes(&output.port_type) {
            let checked = from.checks_own_values() || to.checks_own_values();
            let (source_id, target_id) = (self.index.name(source.0), self.index.name(target.0));
            let message = format!(
                "output \"{}\" of block {source_id} gives {}, input \"{}\" of block {target_id} \
                 takes {}",
                output.name,
                output.port_type,
                input.name,
                input.types()
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

    pub(super) fn join_open(&mut self, open: &[OpenInput]) {
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
}
