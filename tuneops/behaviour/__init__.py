"""The behaviour gate: evaluation sets that a new deployment is asked before it gets traffic."""
