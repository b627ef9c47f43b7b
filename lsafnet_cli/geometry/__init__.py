"""Grids, windows, run-length runs, row bands, and the ground size and area of pixels."""
