"""Checkpoint files: reading, writing, import, export, and metadata."""
