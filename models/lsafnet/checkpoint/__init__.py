"""Checkpoint files: reading, writing, import and export, and what they say about themselves."""
