"""What a person sees in a terminal that needs more room than a function of console.py."""
