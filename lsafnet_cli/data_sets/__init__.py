"""Data sets: labelled images in folders, read window by window for training and evaluation."""
