"""Scores of maps and checkpoints against references, with intervals, tables and figures."""
