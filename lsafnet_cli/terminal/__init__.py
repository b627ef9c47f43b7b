"""What single commands show in a terminal; `console.py` has what all of them share."""
