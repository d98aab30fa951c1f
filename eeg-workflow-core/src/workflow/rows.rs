//! A plan's edges as compressed rows, as the engine walks them.

use std::ops::Range;

/// An edge whose ends were found; without a source it is fed from outside.
pub(super) struct Join {
    pub(super) source: Option<(u32, u16)>,
    pub(super) target: u32,
    pub(super) input: u16,
    /// Its position in the document.
    pub(super) edge: u32,
}

/// Where an output's value goes along one edge.
#[derive(Clone, Copy)]
pub(crate) struct Delivery {
    pub(crate) target: u32,
    pub(crate) slot: u32,
    pub(crate) output: u16,
}

/// The edges of a plan, checked.
///
/// Each edge has a slot where its value waits for the block at its end. A block's slots are
/// neighbours, sorted by input port and then by the order of edges in the document. The engine
/// hands values on without locks because of what [`Rows::new`] checks: each edge has one slot of
/// its target, no two edges share one, and a block waits for as many values as are delivered to
/// it.
#[derive(Default)]
pub(super) struct Rows {
    /// Where each block's slots start, and where the last ones end.
    slot_start: Vec<u32>,
    /// The input port of each slot.
    slot_port: Vec<u16>,
    /// Where each block's deliveries start, and where the last ones end.
    delivery_start: Vec<u32>,
    /// Sorted by the block they come from and the output they take.
    deliveries: Vec<Delivery>,
    /// How many edges a block waits for.
    in_degree: Vec<u32>,
    /// The blocks that wait for none.
    roots: Vec<u32>,
}

/// The rows do not fit each other: a fault of this program, whatever the document.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the plan's {0} are inconsistent")]
pub(super) struct InconsistentRows(&'static str);

impl Rows {
    /// Sorts the edges of a plan of this many blocks into rows.
    pub(super) fn new(blocks: usize, joins: &[Join]) -> Result<Self, InconsistentRows> {
        let mut rows = Self::default();
        let mut slots = vec![0_u32; blocks];
        let mut out_degree = vec![0_u32; blocks];
        rows.in_degree = vec![0; blocks];
        for join in joins {
            *entry(&mut slots, join.target)? += 1;
            if let Some((source, _)) = join.source {
                *entry(&mut rows.in_degree, join.target)? += 1;
                *entry(&mut out_degree, source)? += 1;
            }
        }
        rows.slot_start = starts(&slots);
        rows.delivery_start = starts(&out_degree);

        // The joins by target, then by input, then as in the document.
        let mut order = vec![0_u32; joins.len()];
        let mut next = rows.slot_start.clone();
        for (at, join) in (0..).zip(joins) {
            let place = entry(&mut next, join.target)?;
            *entry(&mut order, *place)? = at;
            *place += 1;
        }
        sort_rows(&rows.slot_start, &mut order, |at| {
            joins.get(*at as usize).map(|join| join.input)
        });

        let total = rows.delivery_start.last().copied().unwrap_or(0);
        rows.deliveries = vec![Delivery { target: 0, slot: 0, output: 0 }; total as usize];
        let mut next = rows.delivery_start.clone();
        for (slot, at) in (0..).zip(&order) {
            let join = joins.get(*at as usize).ok_or(InconsistentRows("slots"))?;
            rows.slot_port.push(join.input);
            if let Some((source, output)) = join.source {
                let place = entry(&mut next, source)?;
                let delivery = Delivery { target: join.target, slot, output };
                *entry(&mut rows.deliveries, *place)? = delivery;
                *place += 1;
            }
        }
        sort_rows(&rows.delivery_start, &mut rows.deliveries, |delivery| delivery.output);
        rows.roots = (0..).zip(&rows.in_degree).filter(|(_, n)| **n == 0).map(|(b, _)| b).collect();
        rows.check(blocks)?;
        Ok(rows)
    }

    /// What the engine relies on, from the finished rows alone.
    fn check(&self, blocks: usize) -> Result<(), InconsistentRows> {
        let tiles = |starts: &[u32], total: usize| {
            starts.len() == blocks + 1
                && starts.first() == Some(&0)
                && starts.is_sorted()
                && starts.last().map(|end| *end as usize) == Some(total)
        };
        if !tiles(&self.slot_start, self.slot_port.len()) {
            return Err(InconsistentRows("slots"));
        }
        if !tiles(&self.delivery_start, self.deliveries.len()) {
            return Err(InconsistentRows("deliveries"));
        }
        let mut taken = vec![false; self.slot_port.len()];
        let mut arrivals = vec![0_u32; blocks];
        for delivery in &self.deliveries {
            let taken = entry(&mut taken, delivery.slot)?;
            if std::mem::replace(taken, true)
                || !self.slots(delivery.target).contains(&delivery.slot)
            {
                return Err(InconsistentRows("deliveries"));
            }
            *entry(&mut arrivals, delivery.target)? += 1;
        }
        if arrivals != self.in_degree {
            return Err(InconsistentRows("counts of edges"));
        }
        let waits_for_none = |block: &u32| self.in_degree.get(*block as usize) == Some(&0);
        if !self.roots.is_sorted_by(|one, next| one < next)
            || !self.roots.iter().all(waits_for_none)
        {
            return Err(InconsistentRows("roots"));
        }
        Ok(())
    }

    /// The slots of a block's inputs.
    pub(super) fn slots(&self, block: u32) -> Range<u32> {
        row(&self.slot_start, block)
    }

    /// A block's rows of the deliveries.
    pub(super) fn delivery_row(&self, block: u32) -> Range<u32> {
        row(&self.delivery_start, block)
    }

    /// The input ports of these slots.
    pub(super) fn slot_ports(&self, slots: Range<usize>) -> &[u16] {
        self.slot_port.get(slots).unwrap_or_default()
    }

    pub(super) fn slot_count(&self) -> usize {
        self.slot_port.len()
    }

    pub(super) fn deliveries(&self, row: Range<usize>) -> &[Delivery] {
        self.deliveries.get(row).unwrap_or_default()
    }

    pub(super) fn delivery_count(&self) -> usize {
        self.deliveries.len()
    }

    pub(super) fn in_degrees(&self) -> &[u32] {
        &self.in_degree
    }

    pub(super) fn roots(&self) -> &[u32] {
        &self.roots
    }
}

fn entry<T>(values: &mut [T], at: u32) -> Result<&mut T, InconsistentRows> {
    values.get_mut(at as usize).ok_or(InconsistentRows("rows"))
}

fn row(starts: &[u32], block: u32) -> Range<u32> {
    match starts.get(block as usize..) {
        Some([start, end, ..]) => *start..*end,
        _ => 0..0,
    }
}

/// Running sums: where each row starts, and where the last one ends.
fn starts(lengths: &[u32]) -> Vec<u32> {
    let mut sum = 0;
    let mut starts = Vec::with_capacity(lengths.len() + 1);
    starts.push(0);
    for length in lengths {
        sum += length;
        starts.push(sum);
    }
    starts
}

/// Sorts each row, keeping what is equal in its order.
fn sort_rows<T, K: Ord>(starts: &[u32], values: &mut [T], key: impl Fn(&T) -> K) {
    for pair in starts.windows(2) {
        if let [start, end] = pair
            && let Some(row) = values.get_mut(*start as usize..*end as usize)
        {
            row.sort_by_key(&key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn join(source: u32, target: u32) -> Join {
        Join { source: Some((source, 0)), target, input: 0, edge: 0 }
    }

    #[test]
    fn edges_of_blocks_that_are_not_there_are_refused() {
        assert!(Rows::new(2, &[join(0, 1)]).is_ok());
        assert!(Rows::new(2, &[join(0, 2)]).is_err());
        assert!(Rows::new(2, &[join(2, 1)]).is_err());
    }

    #[test]
    fn rows_that_do_not_fit_each_other_are_refused() {
        let rows = || Rows::new(3, &[join(0, 1), join(0, 2), join(1, 2)]).unwrap();
        let broken = |change: fn(&mut Rows)| {
            let mut rows = rows();
            change(&mut rows);
            rows.check(3).is_err()
        };
        assert!(rows().check(3).is_ok());
        assert!(broken(|rows| rows.deliveries[1].slot = rows.deliveries[0].slot));
        assert!(broken(|rows| rows.deliveries[0].slot = 9));
        assert!(broken(|rows| rows.deliveries[0].target = 2));
        assert!(broken(|rows| rows.in_degree[2] = 1));
        assert!(broken(|rows| rows.roots = vec![0, 0]));
        assert!(broken(|rows| rows.roots = vec![1]));
        assert!(broken(|rows| rows.slot_start[1] = 3));
        assert!(broken(|rows| rows.slot_port.truncate(2)));
        assert!(broken(|rows| rows.delivery_start.truncate(3)));
    }
}
