"""Reviewed changes of a map: accepted, rejected or corrected, and the corrected map."""
