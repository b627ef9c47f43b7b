"""How good a map is by a random sample of points: drawing it, and what follows from its labels."""
