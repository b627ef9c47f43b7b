"""Diagnosis of this machine: versions, drivers, projections, devices and their speed, disk space, checkpoint."""
