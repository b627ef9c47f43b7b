"""Prediction: from two scenes to a change map; README.md beside this file describes the data flow."""
