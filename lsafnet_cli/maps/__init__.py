"""Products of a finished map: tables, summaries, zones, quicklooks, STAC items, plots."""
