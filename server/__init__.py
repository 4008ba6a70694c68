"""Sessions, media files and the command line: what stands between a person and the model."""
