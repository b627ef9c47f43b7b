"""Polygons of a map: runs, components and outlines of its pixels, their shapes, tables and files."""
