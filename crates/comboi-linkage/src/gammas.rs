//! The levels of pairs, natively and by DuckDB.

use comboi_engine::arrow::array::{Array, AsArray};
use comboi_engine::arrow::datatypes::{Int8Type, UInt32Type};

use crate::Error;
use crate::linkage::{Comparing, ComparingWay, Linkage};
use crate::pair::{Data, Look, Pair};
use crate::walk::on_threads;

/// A level that only DuckDB can tell, until it has.
pub(crate) const UNKNOWN: i8 = i8::MIN;

/// The numbers of the levels (gammas) of a pair; [`UNKNOWN`] where DuckDB has to be asked.
#[inline]
pub(crate) fn of_pair(
    data: &Data,
    comparisons: &[&Comparing],
    l: u32,
    r: u32,
    look: &mut Look,
    out: &mut [i8],
) {
    let pair = Pair {
        data,
        l: data.row(l),
        r: data.row(r),
    };
    for (comparison, out) in comparisons.iter().zip(out) {
        *out = of_comparison(&pair, comparison, look);
    }
}

#[inline]
pub(crate) fn of_comparison(pair: &Pair<'_>, comparison: &Comparing, look: &mut Look) -> i8 {
    match &comparison.way {
        ComparingWay::Native(compiled) => pair
            .first(&compiled.tests, &compiled.kernels, look)
            .map_or(-1, |at| comparison.gammas[at]),
        ComparingWay::Sql { .. } => UNKNOWN,
    }
}

impl Linkage {
    /// Whether DuckDB has to be asked for a level of any of these comparisons.
    pub(crate) fn asks_engine(comparisons: &[&Comparing]) -> bool {
        comparisons
            .iter()
            .any(|it| matches!(it.way, ComparingWay::Sql { .. }))
    }

    /// The columns that DuckDB needs at hand.
    pub(crate) fn keep_for_engine(&self, comparisons: &[&Comparing]) -> Result<(), Error> {
        let mut columns: Vec<String> = Vec::new();
        for comparison in comparisons {
            if matches!(comparison.way, ComparingWay::Sql { .. }) {
                columns.extend(comparison.columns.iter().cloned());
            }
        }
        columns.sort();
        columns.dedup();
        if !columns.is_empty() {
            self.table.keep(&columns)?;
        }
        Ok(())
    }

    /// Asks DuckDB for the levels that are unknown; `gammas` has as many for each pair as there are comparisons.
    pub(crate) fn ask_engine(
        &self,
        comparisons: &[&Comparing],
        pairs: &[(u32, u32)],
        gammas: &mut [i8],
    ) -> Result<(), Error> {
        let width = comparisons.len();
        let asked: Vec<usize> = (0..width)
            .filter(|at| matches!(comparisons[*at].way, ComparingWay::Sql { .. }))
            .collect();
        let cases: Vec<_> = asked
            .iter()
            .filter_map(|at| match &comparisons[*at].way {
                ComparingWay::Sql { cases, .. } => Some(cases.clone()),
                ComparingWay::Native(_) => None,
            })
            .collect();
        let row_of = &self.loaded.row_of;
        let rows: Vec<(u32, u32)> = pairs
            .iter()
            .map(|(l, r)| (row_of[*l as usize], row_of[*r as usize]))
            .collect();
        self.table.of_pairs(&rows, &cases, &mut |batch| {
            let places = batch.column(0).as_primitive::<UInt32Type>();
            for (i, at) in asked.iter().enumerate() {
                let levels = batch.column(i + 1).as_primitive::<Int8Type>();
                for row in 0..levels.len() {
                    let place = places.value(row) as usize * width + at;
                    gammas[place] = if levels.is_valid(row) {
                        levels.value(row)
                    } else {
                        -1
                    };
                }
            }
        })?;
        Ok(())
    }

    /// The levels of pairs that are at hand.
    pub(crate) fn gammas_of(
        &self,
        comparisons: &[&Comparing],
        pairs: &[(u32, u32)],
    ) -> Result<Vec<i8>, Error> {
        let width = comparisons.len();
        let chunks: Vec<&[(u32, u32)]> = pairs.chunks(20_000).collect();
        let data = self.data();
        let parts = on_threads(chunks.len(), self.threads, &self.interrupter, |at, look| {
            let mut gammas = vec![0; chunks[at].len() * width];
            for ((l, r), out) in chunks[at].iter().zip(gammas.chunks_exact_mut(width.max(1))) {
                of_pair(data, comparisons, *l, *r, look, out);
            }
            gammas
        })?;
        let mut gammas = parts.concat();
        if Self::asks_engine(comparisons) {
            self.ask_engine(comparisons, pairs, &mut gammas)?;
        }
        Ok(gammas)
    }
}
