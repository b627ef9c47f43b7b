"""The main job: from two scenes to a change map; README.md beside this file names the way of the data."""
