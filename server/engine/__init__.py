"""The engine: one thread that owns the model and advances every session together."""
