//! What should happen: graph, selection, plan. Pure.
