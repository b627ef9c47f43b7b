"""Many pairs: pairing, planning, workers on one machine, shards of array jobs, clusters, and what is merged.

The unit of work is one scene, or one row band of a huge scene; each can be done again by anybody at any time.
"""
