"""The storage account: Azurite, and a watcher that raises blob events."""
