"""Every permission that TuneOps needs: one table for roles, documents and advice."""
