"""One stream of audio from its first byte to its last final, whatever connection carries it."""
