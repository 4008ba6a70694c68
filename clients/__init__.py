"""What people run against a server: a page, a Python client, `voxwire listen`."""
