"""TuneOps under load: bursts of events over many projects, releases in flight, a soak."""
