"""Mistral's realtime transcription."""
