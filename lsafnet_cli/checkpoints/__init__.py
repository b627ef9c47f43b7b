"""Checkpoints: selection, metadata, import and export."""
