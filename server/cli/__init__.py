"""The `voxwire` command."""
