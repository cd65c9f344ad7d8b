"""What operators see of a running TuneOps: logs, traces and metrics. See docs/telemetry.md.

Without an exporter in the settings nothing of OpenTelemetry but its API is loaded, which does
nothing then.
"""
