"""OpenAI's REST interface for transcription: its forms, answers, stream events and errors."""
