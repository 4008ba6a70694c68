"""Transcribe a file with the `mistralai` SDK over REST; print its answer as JSON.

Standard input: url, file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mistralai.client import Mistral

if __name__ == "__main__":
    task = json.load(sys.stdin)
    file = Path(task["file"])
    with Mistral(api_key="none", server_url=task["url"]) as client:
        answer = client.audio.transcriptions.complete(
            model="voxtral-mini-latest", file={"content": file.read_bytes(), "file_name": file.name}
        )
    print(answer.model_dump_json())
