//! Progress on a terminal: one line a block that runs or has run.

use std::collections::HashMap;

use eeg_workflow_core::engine::Event;
use eeg_workflow_core::workflow::{BlockIndex, Plan};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A workflow of more blocks than this has one line for all of them.
const MAX_LINES: usize = 40;

/// Shows progress on standard error, if that is a terminal.
pub(super) struct Progress {
    lines: MultiProgress,
    /// For all blocks, when there are too many for a line each.
    total: Option<ProgressBar>,
    blocks: HashMap<BlockIndex, ProgressBar>,
    labels: Vec<String>,
}

impl Progress {
    pub(super) fn new(plan: &Plan, is_quiet: bool) -> Self {
        // Nothing is drawn when standard error is not a terminal.
        let target =
            if is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let lines = MultiProgress::with_draw_target(target);
        let is_many = plan.len() > MAX_LINES;
        let total = is_many.then(|| {
            let bar = lines.add(ProgressBar::new(plan.len() as u64));
            bar.with_style(style("{bar:40} {pos}/{len} blocks {elapsed}"))
        });
        let label = |block| {
            let id = plan.id(block).map(ToString::to_string).unwrap_or_default();
            format!("{id} {}", plan.block(block).map_or("", |block| block.spec().name()))
        };
        let labels = if is_many { Vec::new() } else { plan.indices().map(label).collect() };
        Self { lines, total, blocks: HashMap::new(), labels }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::BlockStarted { block } if self.total.is_none() => {
                let bar = self.lines.add(ProgressBar::new(1_000));
                let index = usize::try_from(block.0).ok();
                let label = index.and_then(|index| self.labels.get(index));
                bar.set_style(style("  {prefix} {bar:30} {msg}"));
                bar.set_prefix(label.cloned().unwrap_or_default());
                bar.tick();
                self.blocks.insert(*block, bar);
            }
            Event::BlockProgress { block, fraction } => {
                if let Some(bar) = self.blocks.get(block) {
                    // From 0 to 1, as the context of blocks makes sure.
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                    bar.set_position((fraction * 1e3) as u64);
                }
            }
            Event::BlockLog { block, line } => {
                if let Some(bar) = self.blocks.get(block) {
                    bar.set_message(line.to_string());
                }
            }
            Event::BlockFinished { block, .. } => self.end(*block, "done"),
            Event::BlockFailed { block, .. } => self.end(*block, "failed"),
            Event::BlockSkipped { block, .. } => self.end(*block, "skipped"),
            Event::BlockCancelled { block, .. } => self.end(*block, "stopped"),
            _ => {}
        }
    }

    fn end(&mut self, block: BlockIndex, how: &'static str) {
        if let Some(total) = &self.total {
            total.inc(1);
        }
        if let Some(bar) = self.blocks.get(&block) {
            bar.set_position(if how == "done" { 1_000 } else { bar.position() });
            bar.finish_with_message(how);
        }
    }

    /// Takes the lines away: the table of results follows.
    pub(super) fn finish(&mut self) {
        for bar in self.blocks.values().chain(&self.total) {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
