"""No speaker stands on two sides of a split."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from voxwire.model.training.clips import Clip, catalogue, once, split_of, stamp_sounds


def test_the_split_of_a_name_never_changes_and_leaves_out_about_a_sixth() -> None:
    drawn = Counter(split_of(f"speaker {i}") for i in range(4000))
    assert 0.10 < drawn["held"] / 4000 < 0.16
    assert 0.02 < drawn["kept"] / 4000 < 0.04
    assert split_of("speaker 1") == split_of("speaker 1")


def _corpus(root: Path) -> None:
    for speaker in ("george", "lucas"):
        for index in (0, 7):
            _touch(root / f"free-spoken-digits/{speaker}/3_{speaker}_{index}.flac")
    for i in range(60):
        _touch(root / f"speech-commands/yes/{i:08x}_nohash_0.opus")
        _touch(root / f"speech-commands/go/{i:08x}_nohash_1.opus")
    (root / "speechocean762").mkdir()
    (root / "speechocean762/transcripts.tsv").write_text(
        "id\tspeaker\tage\tgender\ttext\n1\t0001\t6\tm\tTWO ONE\n"
    )
    for folder in ("lj-speech", "coffee-orders"):
        (root / folder).mkdir()
    (root / "lj-speech/transcripts.tsv").write_text('LJ1\tA quoted "word", read.\n')
    (root / "coffee-orders/label.json").write_text("{}")


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_speakers_stay_on_one_side_and_test_clips_are_never_heard(tmp_path: Path) -> None:
    _corpus(tmp_path)
    clips = list(catalogue(tmp_path))
    sides = defaultdict(set)
    for clip in clips:
        if clip.corpus == "commands":
            sides[clip.speaker].add(clip.split)
    assert len(sides) == 60
    assert all(len(splits) == 1 for splits in sides.values())
    fsdd = {(c.speaker, Path(c.path).stem[-1]): c.split for c in clips if c.corpus == "fsdd"}
    assert fsdd == {
        ("george", "0"): "kept",
        ("george", "7"): "held",
        ("lucas", "0"): "test",
        ("lucas", "7"): "train",
    }
    assert [c.text for c in clips if c.corpus == "ocean"] == ["two one"]
    assert [c.text for c in clips if c.corpus == "lj"] == ["a quoted word read"]


def test_a_recording_that_lies_there_twice_is_taken_once() -> None:
    one, other = np.arange(8, dtype=np.int16), np.arange(1, 9, dtype=np.int16)
    names = ("first", "again", "other", "unaligned")
    clips = [Clip(name, "commands", "a", "go", "train") for name in names]
    read = [(clips[0], one), (clips[1], one.copy()), (clips[2], other), None]
    assert [clip.path for clip, _ in once(read)] == ["first", "other"]


def test_stamps_sound_but_do_not_speak(tmp_path: Path) -> None:
    for name in ("cow.ogg", "cow_desc.ogg", "cow_desc_de.ogg", "owl_pt_BR.ogg", "sheep_lamb.ogg"):
        _touch(tmp_path / "animals/mammals" / name)
    _touch(tmp_path / "symbols/math/4.ogg")
    clips = list(stamp_sounds(tmp_path))
    assert [Path(clip.path).stem for clip in clips] == ["cow", "sheep_lamb"]
    assert all((clip.corpus, clip.split, clip.text) == ("noise", "train", "") for clip in clips)
    with pytest.raises(FileNotFoundError, match="apt-get install tuxpaint-stamps-default"):
        list(stamp_sounds(tmp_path / "none"))
