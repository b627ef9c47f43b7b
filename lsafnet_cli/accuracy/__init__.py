"""Accuracy assessment of a map by a random sample of labelled points."""
