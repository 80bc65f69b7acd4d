"""Processes that meet in one database at the same moment, and what each of them does there."""
