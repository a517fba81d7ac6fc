"""Residents, templates and the append-only journal, in SQLite."""
