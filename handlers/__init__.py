"""One module per event: check what came in, say on the queue what to look at, return."""
