"""One process for what is small: Event Grid, GitHub, the managed identity, the inbox."""
