"""Whole recordings: received, decoded apart from the server's own process, transcribed."""
