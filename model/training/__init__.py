"""The recipe of the embedded checkpoint: from recordings to a scored, exported model.

Run it with ``python -m voxwire.model.training --help``. Nothing outside this folder imports it,
and only this folder needs the ``training`` extra (torch, pocketsphinx, soundfile, matplotlib).
"""
