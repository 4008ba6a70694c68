"""Deepgram's live transcription: /v1/listen."""
