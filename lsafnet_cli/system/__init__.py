"""The machine: work beside the main thread, memory, locks, devices."""
