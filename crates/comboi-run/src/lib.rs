//! Doing a plan: tasks, outcomes, the record of runs, the clock.
