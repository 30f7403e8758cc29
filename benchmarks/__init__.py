"""Reproducible measurements. Each module prints a table, or JSON with ``--json``."""
