"""Charts: planned as pure geometry, drawn as SVG for a page and as PNG for a mail."""
