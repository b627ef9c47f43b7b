"""What this machine can do: versions, drivers, projections, devices and their speed, room, the checkpoint."""
