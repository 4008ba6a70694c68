"""OpenBLAS is in the process before MLX, or the status says why not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from voxwire.model import blas

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs OpenBLAS")

PRINT_STATUS = "from voxwire.model import blas; s = blas.load(); print(s.library); print(s.reason)"


def run_python(code: str, *, voxwire_blas: str = "") -> list[str]:
    """Run code in a fresh interpreter and return the lines it printed."""
    environment = {"PATH": "/usr/bin:/bin", blas.ENVIRONMENT_VARIABLE: voxwire_blas}
    command = [sys.executable, "-c", code]
    return subprocess.check_output(command, env=environment, text=True).splitlines()


@linux_only
def test_the_library_it_names_is_mapped_into_the_process() -> None:
    maps = "print(open('/proc/self/maps').read())"
    library, reason, *mapped = run_python(f"{PRINT_STATUS}; {maps}")
    if library == "None":
        pytest.skip(f"without OpenBLAS there is nothing to load: {reason}")
    assert any(line.endswith(library) for line in mapped)


@linux_only
def test_mlx_binds_the_loaded_library_and_not_its_own() -> None:
    """The dynamic linker itself reports where the product's symbol was bound."""
    if blas.load().library is None:
        pytest.skip("without OpenBLAS there is nothing to bind to")
    code = "import voxwire.model, mlx.core as mx; a = mx.ones((8, 8)); mx.eval(a @ a)"
    command = [sys.executable, "-c", code]
    traced = subprocess.run(
        command, env={"LD_DEBUG": "bindings"}, capture_output=True, text=True, check=True
    )
    bound = [line for line in traced.stderr.splitlines() if "symbol `cblas_sgemm'" in line]
    from_mlx = [line for line in bound if "libmlx" in line.split(" to ")[0]]
    assert from_mlx
    assert all("openblas" in line.split(" to ")[1] for line in from_mlx)


@linux_only
def test_it_says_when_mlx_came_first() -> None:
    library, reason = run_python(f"import mlx.core; {PRINT_STATUS}")
    assert library == "None"
    assert "MLX was imported first" in reason


@linux_only
@pytest.mark.parametrize("value", ["none", "/no/such/library.so"])
def test_the_environment_variable_decides(value: str) -> None:
    library, reason = run_python(PRINT_STATUS, voxwire_blas=value)
    assert library == "None"
    assert f"{blas.ENVIRONMENT_VARIABLE}={value}" in reason


@linux_only
@pytest.mark.parametrize(("given", "expected"), [(None, "23"), ("20", "20")])
def test_idle_threads_spin_for_a_while_unless_told_otherwise(
    given: str | None, expected: str
) -> None:
    before = "" if given is None else f"os.environ['OPENBLAS_THREAD_TIMEOUT'] = '{given}';"
    script = (
        f"import os; {before} import voxwire.model; print(os.getenv('OPENBLAS_THREAD_TIMEOUT'))"
    )
    assert run_python(script) == [expected]


def test_importing_the_model_room_does_not_import_mlx() -> None:
    assert run_python("import sys, voxwire.model; print('mlx' in sys.modules)") == ["False"]


def test_it_measures_both_libraries() -> None:
    speed = blas.measure()
    assert speed.mlx_gflops > 0
    assert speed.slowdown == pytest.approx(speed.numpy_gflops / speed.mlx_gflops)


@linux_only
def test_a_library_that_holds_no_blas_is_found_out() -> None:
    judge = "print(blas.took_effect(s, blas.measure()))"
    library, _, took_effect = run_python(f"{PRINT_STATUS}; {judge}", voxwire_blas="libm.so.6")
    assert library.endswith("/libm.so.6")
    assert took_effect == "False"


LOADED = blas.BlasStatus("/usr/lib/libopenblas.so.0", True, "loaded before MLX")
ABSENT = blas.BlasStatus(None, True, "OpenBLAS is not installed")
ON_MACOS = blas.BlasStatus(None, False, "not needed")


@pytest.mark.parametrize(
    ("status", "mlx_gflops", "took_effect"),
    [
        (LOADED, 110.0, True),
        (LOADED, 60.0, True),  # a busy machine
        (LOADED, 1.5, False),  # loaded, and yet not the one that MLX calls
        (ABSENT, 1.5, False),
        (ABSENT, 110.0, False),  # NumPy slowed by a busy machine
        (ON_MACOS, 1.5, True),
    ],
)
def test_whether_it_took_effect(
    status: blas.BlasStatus, mlx_gflops: float, took_effect: bool
) -> None:
    speed = blas.BlasSpeed(mlx_gflops=mlx_gflops, numpy_gflops=120.0)
    assert blas.took_effect(status, speed) is took_effect
