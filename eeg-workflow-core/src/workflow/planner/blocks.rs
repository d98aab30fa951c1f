//! The blocks that a document names, found in the catalog, with their parameters.

use std::sync::Arc;

use foldhash::HashSet;

use super::super::nodes::{BlockNode, MAX_VALUES, has_too_many_values};
use super::super::plan::Node;
use super::super::{Code, Diagnostic};
use super::{Planner, label, with_block};
use crate::block::json::pointer_token;
use crate::block::{Block, Catalog, Execution, NotFound, Parameters, no_such_module};

/// The maximum number of blocks that composed blocks run, at all depths.
const MAX_INNER_BLOCKS: u64 = 100_000;

impl Planner<'_> {
    pub(super) fn find_blocks(&mut self, catalog: &dyn Catalog) {
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
        if has_too_many_values(text) {
            let message = format!("{}: more than {MAX_VALUES} values", label(node, spec.name()));
            let diagnostic = Diagnostic::error(Code::InvalidParameter, at, message);
            self.problems.add(with_block(diagnostic, node));
            return None;
        }
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
                let message =
                    format!("{}: there is no parameter \"{name}\"", label(node, spec.name()));
                let pointer = format!("{at}/{}", pointer_token(name));
                let diagnostic = Diagnostic::error(Code::UnknownParameter, pointer, message);
                self.problems.add(with_block(diagnostic, node).parameter(name).warning_if(true));
            }
        }
        let (parameters, errors) = Parameters::resolve_all(spec, |name| values.get(name));
        let is_lenient = spec.checks_own_values();
        let fine = errors.is_empty() || is_lenient;
        for error in errors {
            let message = format!("{}: {error}", label(node, spec.name()));
            let pointer = format!("{at}/{}", pointer_token(&error.name));
            let diagnostic = Diagnostic::error(Code::InvalidParameter, pointer, message);
            let diagnostic = with_block(diagnostic, node).parameter(&error.name);
            self.problems.add(diagnostic.warning_if(is_lenient));
        }
        fine.then_some(parameters)
    }
}
