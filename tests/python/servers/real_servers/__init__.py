"""Servers from PyPI as users run them, with a real broker behind: rows of a table, tests of them."""
