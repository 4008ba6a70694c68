"""Find the checkpoint that a name stands for: a directory, an alias, or a hub repository.

The only file that imports `huggingface_hub`, and only when a hub repository is asked for. Files
go into its cache, which other programs share; the bytes themselves come by `download.fetch`,
because they must survive an interruption.
"""

from __future__ import annotations

import contextlib
import logging
import re
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import CheckpointError, HubError, MissingFileError, UnsafeFileError
from .download import Progress, RemoteFile, fetch, refuse_stranger
from .files import CONFIG_FILES, TOKENIZER_FILE, find_files, select_files, select_weights
from .header import PICKLE_SUFFIXES

log = logging.getLogger(__name__)

EMBEDDED = Path(__file__).parents[1] / "embedded"
OFFICIAL = "mistralai/Voxtral-Mini-4B-Realtime-2602"
ALIASES = {
    "voxtral": OFFICIAL,  # bfloat16, 8.9 GB
    "voxtral-fp16": "mlx-community/Voxtral-Mini-4B-Realtime-2602-fp16",  # 8.9 GB
    "voxtral-6bit": "mlx-community/Voxtral-Mini-4B-Realtime-6bit",  # 3.6 GB
    "voxtral-4bit": "T0mSIlver/Voxtral-Mini-4B-Realtime-2602-MLX-4bit",  # 2.5 GB
    "voxtral-4bit-mlx-audio": "mlx-community/Voxtral-Mini-4B-Realtime-2602-4bit",
    "voxtral-4bit-qhead": "T0mSIlver/Voxtral-Mini-4B-Realtime-2602-4bit-qhead",  # 2.5 GB
    "voxtral-6bit-mlx-audio": "flo5k5/Voxtral-Mini-4B-Realtime-2602-MLX-6bit",  # 3.6 GB
}
# What the hub's client refuses in a name is refused here: its own error is no HubError.
_PART = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"
_REPOSITORY = re.compile(rf"(?!.*(?:--|\.\.|\.git$)){_PART}/{_PART}", re.ASCII)


def resolve_model(spec: str, progress: Progress | None = None) -> Path:
    """Return the directory of the checkpoint that `spec` names, downloading it if need be.

    spec: a directory; "embedded" or another alias; or a hub repository `organisation/name`, of
    which only the needed files are fetched, with one set of weights, resuming what was begun.
    progress: called with file name, bytes so far and bytes in all. Raises HubError,
    MissingFileError, UnsafeFileError.
    """
    if spec == "embedded":
        return EMBEDDED
    path = _directory(spec)
    if path is not None:
        return path
    repository = ALIASES.get(spec, spec)
    if not _REPOSITORY.fullmatch(repository):
        known = ", ".join(["embedded", *ALIASES])
        wanted = f"a directory, a hub repository organisation/name, or one of {known}"
        raise HubError(None, None, wanted, repr(spec))
    return _from_hub(repository, progress)


def _directory(spec: str) -> Path | None:
    try:
        path = Path(spec).expanduser()
        return path if spec and path.is_dir() else None  # an empty path is the current folder's
    except (OSError, RuntimeError, ValueError):  # no such person's home, or too long for a name
        return None


def _from_hub(repository: str, progress: Progress | None) -> Path:
    """Return the newest revision, or the newest that is whole in the cache where it fails."""
    try:
        return _newest(repository, progress)
    except HubError as error:
        cached = _cached(repository)
        if cached is None:
            raise
        log.warning("model=%s revision=%s, as cached: %s", repository, cached.name, error)
        return cached


def _newest(repository: str, progress: Progress | None) -> Path:
    from huggingface_hub import HfApi, constants

    try:
        info = HfApi().model_info(repository)
    except Exception as error:  # whatever its HTTP library of the day raises
        refuse_stranger(error, constants.ENDPOINT)
        raise HubError(None, None, *_why(repository, error)) from error
    files = _needed(repository, [sibling.rfilename for sibling in info.siblings or []])
    paths = [_one(repository, str(info.sha), name, progress) for name in files]
    directories = {path.parent for path in paths}
    if len(directories) > 1:
        got = "a new one while downloading: run again"
        raise HubError(None, None, f"one revision of {repository}", got)
    return directories.pop()


def _cached(repository: str) -> Path | None:
    """Return the newest snapshot in the cache that is a whole checkpoint."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model")
    snapshots = list(folder.glob("snapshots/*/"))
    for each in sorted(snapshots, key=lambda path: path.stat().st_mtime, reverse=True):
        with contextlib.suppress(CheckpointError):
            return find_files(each).directory
    return None


def _why(repository: str, error: Exception) -> tuple[str, str]:
    """Say in words what was expected of the hub and what came."""
    from huggingface_hub import constants, errors

    endpoint = constants.ENDPOINT
    if isinstance(error, errors.GatedRepoError):
        return f"access to {repository}", f"a gate: accept its terms on {endpoint}/{repository}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"a public repository {repository} on {endpoint}", "none of that name"
    return (
        f"{repository} from {endpoint} or, whole, in {constants.HF_HUB_CACHE}",
        f"no answer ({_reason(error)}): check the network, or give a directory",
    )


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _needed(repository: str, names: list[str]) -> list[str]:
    """Return the files to fetch, the weights last: they are of no use without the others."""
    if not select_weights(names):
        pickles = [name for name in names if Path(name).suffix in PICKLE_SUFFIXES]
        if pickles:
            got = f"{pickles[0]} of {repository}, a pickle, which can run code when read"
            raise UnsafeFileError(None, None, "safetensors", got)
        raise MissingFileError(None, None, f"safetensors weights in {repository}", "none")
    files = select_files(names)
    if TOKENIZER_FILE not in files or not set(files) & set(CONFIG_FILES):
        wanted = f"{TOKENIZER_FILE} and {' or '.join(CONFIG_FILES)} in {repository}"
        raise MissingFileError(None, None, wanted, ", ".join(sorted(names)[:8]))
    return sorted(files, key=lambda name: (name.endswith(".safetensors"), name))


def _one(repository: str, revision: str, name: str, progress: Progress | None) -> Path:
    """Return the path of one file in the cache, fetching it if it is not there."""
    from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.file_download import repo_folder_name

    cached = try_to_load_from_cache(repository, name, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    url = hf_hub_url(repository, name, revision=revision)
    folder = repo_folder_name(repo_id=repository, repo_type="model")
    try:
        remote = _locate(url, name)
        target = Path(constants.HF_HUB_CACHE) / folder / "blobs" / remote.etag
        fetch(remote, lambda: _locate(url, name), target, progress)
        # The content is there: this only links it into the snapshot, and notes the revision.
        return Path(hf_hub_download(repository, name))
    except HubError:
        raise
    except Exception as error:  # not all of its HTTP libraries' errors are OSErrors
        raise HubError(None, None, f"{name} of {repository}", _reason(error)) from error


def _locate(url: str, name: str) -> RemoteFile:
    """Ask the hub where a file's bytes are. The token goes to the hub's own host only.

    Raises OSError.
    """
    from huggingface_hub import get_hf_file_metadata, get_token

    try:
        metadata = get_hf_file_metadata(url)
    except Exception as error:  # likewise
        raise ConnectionError(str(error)) from error
    is_own_host = urlsplit(metadata.location).netloc == urlsplit(url).netloc
    token = get_token() if is_own_host else None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return RemoteFile(name, metadata.location, headers, int(metadata.size or 0), str(metadata.etag))
