"""How traffic moves to a new deployment: at once, step by step, or mirrored first."""
