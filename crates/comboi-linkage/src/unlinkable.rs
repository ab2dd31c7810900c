//! Records that say too little to be found.

use crate::Error;
use crate::linkage::{Comparing, Linkage};

impl Linkage {
    /// What each record weighs as a pair with itself, by row. One that would not be found to be itself at a threshold can hardly be
    /// found to be another.
    pub fn self_weights(&self) -> Result<Vec<f64>, Error> {
        let comparisons: Vec<&Comparing> = self.comparisons.iter().collect();
        self.keep_for_engine(&comparisons)?;
        let pairs: Vec<(u32, u32)> = (0..self.row_count()).map(|it| (it, it)).collect();
        let gammas = self.gammas_of(&comparisons, &pairs)?;
        let model = self.model();
        let mut weights = vec![model.prior; pairs.len()];
        for (rank, (of_record, row)) in gammas
            .chunks_exact(comparisons.len().max(1))
            .zip(&self.loaded.row_of)
            .enumerate()
        {
            let words = self.data().row(u32::try_from(rank).unwrap_or(u32::MAX));
            for (weighing, gamma) in model.comparisons.iter().zip(of_record) {
                let (level, more) = weighing.parts(*gamma, words, words);
                weights[*row as usize] += level + more;
            }
        }
        Ok(weights)
    }
}
