"""Data sets: labelled images in folders, read window by window as training and evaluation want them."""
