"""Training from files: examples drawn from data sets, runs that can be resumed, and their output files."""
