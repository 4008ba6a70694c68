"""Checkpoint files: recognise, load, validate, convert and fetch them."""
