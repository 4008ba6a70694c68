"""The lock of what is installed: complete, within the bounds, and every file by its hash."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repo.sources import ROOT

LOCK = (ROOT / ".dev/requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PLATFORMS = ("linux", "darwin")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def environments() -> Iterator[dict[str, str]]:
    """Yield the markers of every platform and Python that the project supports."""
    for platform in PLATFORMS:
        for python in PYTHONS:
            yield {
                "sys_platform": platform,
                "python_version": python,
                "python_full_version": f"{python}.0",
                "platform_machine": "arm64" if platform == "darwin" else "x86_64",
            }


def locked() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in re.sub(r" \\\n +--hash=\S+", "", LOCK).splitlines():
        requirement = Requirement(line)
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def wanted() -> list[Requirement]:
    """Return what the core, the tests and the CPU back-end ask for."""
    extras = PROJECT["optional-dependencies"]
    return [
        Requirement(each) for each in (*PROJECT["dependencies"], *extras["cpu"], *extras["dev"])
    ]


def test_every_dependency_is_locked_within_its_bounds_on_every_platform() -> None:
    lock = locked()
    for environment in environments():
        for requirement in wanted():
            if requirement.marker is not None and not requirement.marker.evaluate(environment):
                continue
            versions = [
                next(iter(each.specifier)).version
                for each in lock[canonicalize_name(requirement.name)]
                if each.marker is None or each.marker.evaluate(environment)
            ]
            assert len(versions) == 1, (requirement, environment)
            assert requirement.specifier.contains(versions[0]), requirement


def test_the_back_end_of_each_platform_is_locked() -> None:
    lock = locked()
    for environment in environments():
        name = "mlx-metal" if environment["sys_platform"] == "darwin" else "mlx-cpu"
        (requirement,) = lock[name]
        assert requirement.marker is not None
        assert requirement.marker.evaluate(environment)


def test_every_package_is_one_version_with_hashes() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+( ; .+?)? \\\n", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry[:80]
    assert "git+" not in LOCK
    assert "file:" not in LOCK


def test_no_python_gets_another_version_than_the_tests_run_with() -> None:
    """CI runs on one Python: what newer ones were given alone, it would not see fail."""
    several = {name for name, each in locked().items() if len({str(r.specifier) for r in each}) > 1}
    assert several <= {"numpy"}  # whose newer one the suite ran with, on Python 3.13
