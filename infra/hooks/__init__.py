"""What azd runs around its own steps: docs/azure.md says what and when."""
