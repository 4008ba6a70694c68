"""Wyoming, the protocol by which Home Assistant speaks to speech services."""
