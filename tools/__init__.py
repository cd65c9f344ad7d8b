"""Programs for those who work on TuneOps."""
