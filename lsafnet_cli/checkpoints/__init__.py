"""Checkpoints: which one a run uses, what it says of itself, import and export."""
