"""Scenes: images of one date, read, aligned, warped, stretched and registered on one grid."""
