//! Datasets that would have to be built before themselves.

use std::collections::HashMap;

use super::Dataset;
use crate::read::Reader;
use crate::{DatasetId, Place, Problem};

/// Reports circles of datasets that read each other, each dataset in one of them at most.
pub(super) fn report(datasets: &[Dataset], reader: &mut Reader) {
    let index: HashMap<&DatasetId, usize> = datasets
        .iter()
        .enumerate()
        .map(|(i, dataset)| (&dataset.id, i))
        .collect();
    let reads = |at: usize| {
        let reads = datasets.get(at).into_iter().flat_map(Dataset::reads);
        reads.filter_map(|(dataset, _)| index.get(dataset).copied())
    };
    let mut state = vec![State::Unseen; datasets.len()];
    for start in 0..datasets.len() {
        if state.get(start) != Some(&State::Unseen) {
            continue;
        }
        // Depth first, without recursion: a chain may be as long as a project.
        let mut path: Vec<(usize, Vec<usize>)> = vec![(start, reads(start).collect())];
        set(&mut state, start, State::OnPath);
        while let Some((at, rest)) = path.last_mut() {
            let at = *at;
            let Some(next) = rest.pop() else {
                set(&mut state, at, State::Done);
                path.pop();
                continue;
            };
            match state.get(next) {
                Some(State::Unseen) => {
                    set(&mut state, next, State::OnPath);
                    path.push((next, reads(next).collect()));
                }
                Some(State::OnPath) => {
                    let circle: Vec<usize> = path
                        .iter()
                        .map(|(at, _)| *at)
                        .skip_while(|at| *at != next)
                        .collect();
                    report_circle(datasets, &circle, reader);
                    circle
                        .iter()
                        .for_each(|at| set(&mut state, *at, State::Done));
                }
                _ => {}
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    OnPath,
    Done,
}

fn set(state: &mut [State], at: usize, to: State) {
    if let Some(known) = state.get_mut(at) {
        *known = to;
    }
}

fn report_circle(datasets: &[Dataset], circle: &[usize], reader: &mut Reader) {
    let members: Vec<&Dataset> = circle.iter().filter_map(|at| datasets.get(*at)).collect();
    let Some(first) = members.first() else { return };
    let round: Vec<&Dataset> = members.iter().copied().chain([*first]).collect();
    let steps: Vec<&Place> = round
        .windows(2)
        .filter_map(|pair| match pair {
            [reads, read] => reads.reads().find(|(dataset, _)| **dataset == read.id),
            _ => None,
        })
        .map(|(_, place)| place)
        .collect();
    let Some(step) = steps.first() else { return };
    let names: Vec<String> = round.iter().map(|dataset| dataset.id.to_string()).collect();
    let message = match members.as_slice() {
        [alone] => format!("`{}` reads itself", alone.id),
        _ => format!("these datasets wait for each other: {}", names.join(" → ")),
    };
    let places: Vec<String> = steps.iter().map(ToString::to_string).collect();
    reader.problems.push(
        Problem::at(step, message)
            .hint(format!("remove one of the inputs at {}", places.join(", "))),
    );
}
