"""Wire and file formats, sans-I/O: bytes and events in, events and bytes out. No sockets, no MLX."""
