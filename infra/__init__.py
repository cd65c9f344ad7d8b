"""TuneOps on Azure: Bicep, and the hooks of azd."""
