"""Scores from confusion counts, border scores and bootstrap intervals."""
