"""Names of models: directories, aliases, and repositories of a hub on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import huggingface_hub
import huggingface_hub.constants
import pytest

from tests.model import fake_hub
from tests.model.fake_hub import Hub, digest, read_directory, serve
from tests.other_layouts import write_hf
from tests.random_checkpoint import PARAMS, write_mistral
from tests.server.certificates import make_certificate
from voxwire.model.checkpoint import download
from voxwire.model.checkpoint.hub import ALIASES, EMBEDDED, resolve_model
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.errors import HubError, MissingFileError, UnsafeFileError

WEIGHTS = "consolidated.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve the tiny checkpoint, both layouts of it, with other things beside."""
    write_hf(tmp_path / "repository", PARAMS["tiny"])
    files = read_directory(write_mistral(tmp_path / "repository", PARAMS["tiny"]))
    fake = Hub({**files, "README.md": b"# card", "pytorch_model.bin": b"pickle"})
    server, address = serve(fake)
    use_hub(monkeypatch, address, tmp_path / "cache")
    yield fake
    server.shutdown()
    server.server_close()


def use_hub(monkeypatch: pytest.MonkeyPatch, address: str, cache: Path) -> None:
    """Point the client at `address`: it reads its environment at import, which may be over."""
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(download, "RETRY_WAIT_S", 0.0)


def test_a_directory_stands_for_itself(tmp_path: Path) -> None:
    assert resolve_model(str(tmp_path)) == tmp_path


def test_embedded_is_in_the_package() -> None:
    assert resolve_model("embedded") == EMBEDDED
    assert EMBEDDED.parent.name == "model"


@pytest.mark.parametrize(
    "spec",
    [
        *("", "nonsense", "/no/such/place", "a/b/c", "../name", "org/", "~nobody-here/m", "a\0"),
        *("x" * 300, "org/" + "x" * 300, "org/a..b", "org/a--b", "org/a.", "org/a.git"),
    ],
)
def test_a_name_that_stands_for_nothing_lists_what_would(spec: str) -> None:
    with pytest.raises(HubError) as caught:
        resolve_model(spec)
    assert repr(spec) == caught.value.got
    assert all(alias in caught.value.expected for alias in ("embedded", *ALIASES))


def test_only_the_needed_files_come_and_one_copy_of_the_weights(hub: Hub) -> None:
    seen: list[tuple[str, int, int]] = []
    directory = resolve_model("org/name", lambda *step: seen.append(step))
    assert {line.split()[1] for line in hub.requests} == {
        "config.json", "params.json", "tekken.json", WEIGHTS
    }  # fmt: skip
    assert load_checkpoint(directory).layout == "mistral"
    n_bytes = len(hub.files[WEIGHTS])
    assert seen[-1] == (WEIGHTS, n_bytes, n_bytes)


def test_an_alias_stands_for_its_repository(hub: Hub) -> None:
    hub.repository = ALIASES["voxtral-6bit"]
    assert load_checkpoint(resolve_model("voxtral-6bit")).layout == "mistral"


def test_a_second_time_nothing_is_fetched(hub: Hub) -> None:
    first = resolve_model("org/name")
    hub.requests.clear()
    assert resolve_model("org/name") == first
    assert hub.requests == []


def test_two_at_a_time_fetch_once(hub: Hub) -> None:
    with ThreadPoolExecutor(2) as pool:
        directories = set(pool.map(resolve_model, ["org/name"] * 2))
    assert load_checkpoint(directories.pop()).layout == "mistral"
    assert directories == set()
    assert len(hub.sent(WEIGHTS)) == 1


def test_who_waited_for_another_goes_on_where_that_one_stopped(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hub.files[WEIGHTS]

    def wait(stream: BinaryIO | int, _: int) -> None:  # an int where the hub's client locks
        name = "" if isinstance(stream, int) else stream.name
        if digest(WEIGHTS, content) in name:
            Path(name).write_bytes(content[:1000])  # and then the other gave up

    monkeypatch.setattr("fcntl.flock", wait)
    directory = resolve_model("org/name")
    assert hub.sent(WEIGHTS) == ["1000"]
    assert (directory / WEIGHTS).read_bytes() == content


def test_who_waited_for_another_that_got_wrong_bytes_begins_anew(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hub.files[WEIGHTS]
    first = iter([True])

    def wait(stream: BinaryIO | int, _: int) -> None:
        is_weights = not isinstance(stream, int) and digest(WEIGHTS, content) in stream.name
        if is_weights and next(first, False):
            hub.corrupt = WEIGHTS
            with pytest.raises(HubError, match="got hash"):
                resolve_model("org/name")  # the other
            hub.corrupt = ""

    monkeypatch.setattr("fcntl.flock", wait)
    assert (resolve_model("org/name") / WEIGHTS).read_bytes() == content


def test_shards_come_with_their_index(hub: Hub, tmp_path: Path) -> None:
    hub.files = read_directory(write_hf(tmp_path / "shards", PARAMS["tiny"], n_shards=3))
    assert load_checkpoint(resolve_model("org/name")).layout == "huggingface"
    assert len(hub.sent("model-00002-of-00003.safetensors")) == 1
    assert len(hub.sent("model.safetensors.index.json")) == 1


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Hub) -> None:
    hub.cut[WEIGHTS] = [1000, 500]
    directory = resolve_model("org/name")
    assert hub.sent(WEIGHTS) == ["", "1000", "1500"]
    assert (directory / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_an_interrupted_download_goes_on_the_next_time(hub: Hub) -> None:
    hub.cut[WEIGHTS] = [1000, 0, 0, 0, 0, 0]
    with pytest.raises(HubError, match=r"got 1000 .* run again") as caught:
        resolve_model("org/name")
    assert WEIGHTS in caught.value.expected
    hub.cut.clear()
    hub.requests.clear()
    directory = resolve_model("org/name")
    assert hub.sent(WEIGHTS) == ["1000"]
    assert load_checkpoint(directory).layout == "mistral"


def test_a_hub_that_ignores_ranges_is_read_from_the_start(hub: Hub) -> None:
    hub.cut[WEIGHTS] = [1000]
    hub.ignore_ranges = True
    directory = resolve_model("org/name")
    assert (directory / WEIGHTS).read_bytes() == hub.files[WEIGHTS]


def test_a_part_that_is_too_long_is_begun_anew(hub: Hub, tmp_path: Path) -> None:
    content = hub.files[WEIGHTS]
    blobs = tmp_path / "cache" / "models--org--name" / "blobs"
    blobs.mkdir(parents=True)
    part = blobs / (digest(WEIGHTS, content) + download.PART_SUFFIX)
    part.write_bytes(bytes(len(content) + 1))
    assert (resolve_model("org/name") / WEIGHTS).read_bytes() == content
    assert not part.exists()


@pytest.mark.parametrize("name", [WEIGHTS, "tekken.json"])
def test_content_that_does_not_hash_right_is_thrown_away(hub: Hub, name: str) -> None:
    hub.corrupt = name
    with pytest.raises(HubError, match=f"expected {name} with hash .*, got hash"):
        resolve_model("org/name")
    hub.corrupt = ""
    assert load_checkpoint(resolve_model("org/name")).layout == "mistral"


def test_a_mirror_without_hashes_is_taken_at_its_sizes(hub: Hub) -> None:
    hub.tag = "5f1a"
    assert load_checkpoint(resolve_model("org/name")).layout == "mistral"


@pytest.mark.parametrize("tells_heads", [True, False])
def test_the_token_goes_to_the_hub_and_to_no_other_host(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tells_heads: bool
) -> None:
    hub.tells_heads = tells_heads
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    storage = Hub(hub.files)
    server, hub.elsewhere = serve(storage)
    directory = resolve_model("org/name")
    server.shutdown()
    server.server_close()
    assert (directory / WEIGHTS).read_bytes() == hub.files[WEIGHTS]
    assert storage.tokens == {None}
    assert hub.tokens == (set() if tells_heads else {"Bearer hf_secret"})


def test_an_unknown_repository(hub: Hub) -> None:
    with pytest.raises(HubError) as caught:
        resolve_model("org/other")
    assert caught.value.expected.startswith("a public repository org/other on http://127.0.0.1")
    assert caught.value.got == "none of that name"


def test_repositories_without_what_is_needed(hub: Hub) -> None:
    whole = dict(hub.files)
    hub.files = {name: whole[name] for name in ("params.json", "tekken.json", "pytorch_model.bin")}
    with pytest.raises(UnsafeFileError, match=r"pytorch_model.bin of org/name, a pickle"):
        resolve_model("org/name")
    hub.files = {"README.md": b""}
    with pytest.raises(MissingFileError, match="safetensors weights in org/name"):
        resolve_model("org/name")
    hub.files = {name: whole[name] for name in ("params.json", WEIGHTS)}
    with pytest.raises(MissingFileError, match=r"expected tekken.json and params.json or config"):
        resolve_model("org/name")
    assert hub.requests == []


def test_without_a_network_a_whole_cached_copy_serves(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = resolve_model("org/name")
    assert not caplog.messages
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")  # nobody listens there
    assert resolve_model("org/name") == directory
    assert f"model=org/name revision={fake_hub.REVISION}, as cached: expected" in caplog.text
    (directory / WEIGHTS).unlink()
    (directory / "config.json").unlink()
    with pytest.raises(HubError) as caught:
        resolve_model("org/name")
    assert "org/name from http://127.0.0.1:9" in caught.value.expected
    assert "check the network, or give a directory" in caught.value.got


def test_a_hub_whose_certificate_nobody_trusts_is_no_trouble_of_the_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cert, _ = make_certificate(tmp_path, "-nodes", "-addext", "subjectAltName=DNS:localhost")
    server, address = serve(Hub({}), cert)
    use_hub(monkeypatch, address, tmp_path / "cache")
    with pytest.raises(HubError, match=r"certificate of localhost:\d+ that is trusted"):
        resolve_model("org/name")
    server.shutdown()
    server.server_close()


def test_an_update_that_breaks_off_leaves_the_whole_older_copy_to_serve(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    older = resolve_model("org/name")
    monkeypatch.setattr(fake_hub, "REVISION", "b" * 40)
    hub.files = {**hub.files, WEIGHTS: hub.files[WEIGHTS] + b"new", "params.json": b"{}"}
    hub.cut[WEIGHTS] = [0] * 5
    assert resolve_model("org/name") == older
    assert older.name in caplog.text
    use_hub(monkeypatch, "http://127.0.0.1:9", tmp_path / "cache")
    assert resolve_model("org/name") == older


def test_a_hub_that_hangs_up_at_the_last_is_a_hub_error(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(*_: object) -> None:
        raise RuntimeError("disconnected")  # the HTTP library's own error is no OSError either

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hang_up)
    with pytest.raises(HubError, match=r"expected config.json of org/name, got disconnected"):
        resolve_model("org/name")
