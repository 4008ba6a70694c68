"""Silero's voice activity detector for 16 kHz, in NumPy: how likely is speech, every 32 ms."""
