"""What is asked of Azure, GitHub and the storage account, one module for each area."""
