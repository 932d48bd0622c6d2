"""Which backend works, and what is said where it cannot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from SlicerMedCompressLib.errors import MissingLibraryError, UnsupportedImageError
from SlicerMedCompressLib.learned import backends
from SlicerMedCompressLib.learned.backends import DEVICES, backend_for, device_to_verify


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    backend_for.cache_clear()
    yield
    backend_for.cache_clear()


def without(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(wanted: str, package: str, wanted_by: str) -> Any:
        if wanted == module:
            raise MissingLibraryError(f"{wanted_by} needs the Python package {package}.")
        return library(wanted, package, wanted_by)

    library = backends.library
    monkeypatch.setattr(backends, "library", failing)


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedImageError, match=r"no device tpu; choose one of auto, cpu, numpy"):
        backend_for("tpu")


def test_the_processor_works_until_a_gpu_is_asked_for() -> None:
    assert backend_for("auto").name == backend_for("cpu").name
    assert backend_for("numpy").name == "numpy"


def test_a_numba_that_does_not_fit_numpy_is_told_of_and_done_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without("numba", monkeypatch)
    monkeypatch.setattr(backends, "is_installed", lambda module: True)
    with caplog.at_level(logging.WARNING):
        assert backend_for("cpu").name == "numpy"
    assert "numpy alone, which is slower" in caplog.text


@pytest.mark.parametrize(("device", "module"), [("numba", "numba"), ("torch", "torch"), ("cuda", "torch")])
def test_a_named_device_that_is_missing_is_an_error(device: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without(module, monkeypatch)
    with pytest.raises(MissingLibraryError, match=f'The device "{device}" needs the Python package {module}'):
        backend_for(device)


def test_cuda_without_a_gpu_is_an_error_that_says_what_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingLibraryError, match="choose the device auto or cpu"):
        backend_for("cuda")


def test_no_gpu_checks_its_own_file() -> None:
    assert {device: device_to_verify(device) for device in DEVICES} == {
        "auto": "auto",
        "cpu": "cpu",
        "numpy": "numpy",
        "numba": "numba",
        "torch": "cpu",
        "cuda": "cpu",
    }
