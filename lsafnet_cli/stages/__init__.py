"""The stages of a run, in the order of the data: read, align, tile, infer, stitch, write, vectorize, report."""
