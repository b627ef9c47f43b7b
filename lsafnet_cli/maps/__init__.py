"""What is made of a finished map: tables, summaries, zones, quicklooks, STAC items, plots."""
