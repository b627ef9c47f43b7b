"""Batches of many pairs: pairing, planning, workers on one machine, shards of array jobs, clusters, merging.

The unit of work is one scene, or one row band of a huge scene; each can be repeated by any process at any time.
"""
