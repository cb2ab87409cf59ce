"""Notebooks, their reviewed twins, and what keeps the two the same."""
