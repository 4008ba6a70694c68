"""The server's addresses, one module for each kind of client."""
