"""The version of TuneOps, which the function app and the command line have in common."""

VERSION = "0.1.0"
