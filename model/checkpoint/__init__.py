"""Checkpoint files: find, check, load, download and convert them."""

from __future__ import annotations
