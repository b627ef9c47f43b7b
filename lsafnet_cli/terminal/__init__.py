"""What single commands show in a terminal; `console.py` has what all commands share."""
