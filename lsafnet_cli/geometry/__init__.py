"""Grids, windows, run-length runs and row bands, and what pixels measure on the ground."""
