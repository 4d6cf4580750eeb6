"""Servers from PyPI as users run them, a real broker behind: rows of a table, and tests."""
