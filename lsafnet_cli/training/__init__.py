"""Training from files: examples drawn from data sets, runs that can be gone on with, and what they leave behind."""
