"""Polygons of a map that somebody has looked at: accepted, rejected or corrected, and what follows for the map."""
