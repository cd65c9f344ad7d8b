"""Builds the package that is deployed to Azure Functions, and says what is in it."""
