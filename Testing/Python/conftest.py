"""Fixtures that the whole suite shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Timing belongs in benchmarks; a busy machine fails no test.
settings.register_profile("suite", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("suite")

SHARED_DATA = Path(os.environ.get("MEDCOMPRESS_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.fixture(autouse=True)
def short_adaptation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapts in a few steps: it has to be right in tests, not good."""
    from SlicerMedCompressLib.learned import adaptation

    monkeypatch.setattr(adaptation, "EFFORTS", (0, 2, 3, 4, 5))
    monkeypatch.setattr(adaptation, "SAMPLES", 20_000)


@pytest.fixture(params=["cpu", "cuda"])
def backend(request: pytest.FixtureRequest) -> Any:
    """The PyTorch backend of the learned codec on every kind of device that is here."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no CUDA device")
    from SlicerMedCompressLib.learned.torch_backend import TorchBackend

    return TorchBackend(torch.device(request.param))


@pytest.fixture
def single_thread() -> Iterator[None]:
    """PyTorch with one thread: more cost time on a busy machine."""
    from torch_samples import threads

    with threads(1):
        yield


@pytest.fixture
def scene() -> Iterator[Any]:
    """A fresh MRML scene, also as ``slicer.mrmlScene``; in the application its own, cleared."""
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    if hasattr(slicer, "app"):
        slicer.mrmlScene.Clear()
        yield slicer.mrmlScene
        return
    from SlicerMedCompressLib.scene.standalone import new_scene

    standalone = new_scene()
    yield standalone.scene
    standalone.scene.Clear(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "standalone: cannot run inside the Slicer application")


def shared_files() -> list[Path]:
    """The image files of the project's real data, or none where it is not at hand."""
    if not SHARED_DATA.is_dir():
        return []
    return sorted(path for path in SHARED_DATA.glob("*/*") if path.name.endswith((".nrrd", ".nii.gz")))
