"""Files: opening rasters and vectors, styles, provenance, and how outputs get their final names."""
