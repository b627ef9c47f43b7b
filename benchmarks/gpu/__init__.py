"""The parts of `gpu_check.py`: what a GPU answers, and how fast it does."""
