"""Transcribe a file with the `mistralai` SDK over REST; print its answer and the models as JSON.

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
            model="voxtral-mini-latest",
            file={"content": file.read_bytes(), "file_name": file.name},
            timestamp_granularities=["word"],
        )
        models = client.models.list().data or []
        retrieved = client.models.retrieve(model_id=models[0].id)
    told = {"models": [model.model_dump(mode="json") for model in (*models, retrieved)]}
    print(json.dumps(answer.model_dump(mode="json") | told))
