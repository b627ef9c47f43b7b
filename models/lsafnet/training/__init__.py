"""Training: examples, augmentation, pairs from images of one date, the trainer."""
