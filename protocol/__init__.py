"""Wire and file formats, sans-I/O: bytes in, events out, and back. No sockets, no MLX."""
