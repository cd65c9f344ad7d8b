"""One module per event. Each checks what came in, says on the queue what to look at, and returns."""
