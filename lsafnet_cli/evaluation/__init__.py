"""How good maps and checkpoints are: scores against references, with intervals, tables and a picture."""
