"""Backups, restores and moves of the ledger, with real processes at work on it."""
