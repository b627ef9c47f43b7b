"""The networks, one file each, in the order of their figures."""
