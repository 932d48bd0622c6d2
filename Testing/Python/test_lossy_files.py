"""Files with loss: what their headers may claim, and what happens where another decoder rounds otherwise."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from generated_images import head, scalar
from mutations import rebuilt

from SlicerMedCompressLib.compression import compress_in_memory, decompress
from SlicerMedCompressLib.container import Reader
from SlicerMedCompressLib.container.guarantee import LOSS_ATTRIBUTE
from SlicerMedCompressLib.errors import CorruptFileError
from SlicerMedCompressLib.targets import MaxError, Psnr

SMALL = head((12, 40, 44))


@pytest.fixture(scope="module")
def bounded() -> bytes:
    return compress_in_memory(scalar(SMALL), codec="jpegls", target=MaxError(2))[0]


def edited(data: bytes, **values: object) -> bytes:
    return rebuilt(data, lambda header: header["guarantee"].update(values))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "lossless"},
        {"kind": "perfect"},
        {"bound": -1},
        {"bound": "2"},
        {"bound_is": "near"},
        {"maximum_error": math.inf},
        {"compared": -1},
        {"compared": 10**12},
        {"maximum_error": 3.5},
        {"root_mean_square_error": 2.5},
        {"mean_error": -1.9},
        {"exact": 1.5},
        {"more": 1},
    ],
)
def test_a_guarantee_with_a_lie_is_refused(bounded: bytes, values: dict[str, object]) -> None:
    with pytest.raises(CorruptFileError):
        decompress(io.BytesIO(edited(bounded, **values)))


@pytest.mark.parametrize(
    "edit",
    [
        lambda header: header.update(version=1),
        lambda header: header.update(guarantee={"kind": "lossless", "maximum_error": 0}),
        lambda header: header.update(guarantee={"kind": "lossless", "maximum_error": 0}, version=1),
        lambda header: header.update(corrections={"id": "jpeg", "quality": 90}),
        lambda header: header.update(corrections={"id": "zstd", "level": 9}),
        lambda header: header["transforms"][0].update(step=0),
        lambda header: header["transforms"][0].update(step="5"),
        lambda header: header["transforms"][0].update(levels=1 << 70),
        lambda header: header["transforms"][0].update(levels=1 << 33),
        lambda header: header.pop("decoded"),
        lambda header: header["decoded"].append([1]),
        lambda header: header["decoded"][0].append(1),
        lambda header: header["decoded"][0].__setitem__(0, -1),
        lambda header: header.update(library=["x"]),
        lambda header: header["transforms"][0].update(origin=1 << 80),
        lambda header: header["transforms"][0].update(type="object"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(bounded: bytes, edit: object) -> None:
    with pytest.raises(CorruptFileError):
        decompress(io.BytesIO(rebuilt(bounded, edit)))  # type: ignore[arg-type]


def rounded_otherwise(data: bytes) -> bytes:
    """The file as it looks where its decoder gives other voxels than it gave where it was written."""

    def edit(header: dict) -> None:
        header["decoded"][0][0] ^= 1
        header["voxel_sha256"] = "0" * 64

    return rebuilt(data, edit)


def test_what_cannot_be_vouched_for_is_refused_unless_accepted(
    bounded: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    exact = np.zeros(SMALL.shape, np.bool_)
    exact[2:4] = True
    region, _ = compress_in_memory(scalar(SMALL), codec="jpegls", target=Psnr(45), exact=exact)
    for data in (bounded, region):
        other = rounded_otherwise(data)
        with pytest.raises(CorruptFileError, match="cannot be vouched for"):
            decompress(io.BytesIO(other))
        with Reader(io.BytesIO(other)) as reader, pytest.raises(CorruptFileError, match="cannot be vouched for"):
            reader.read_region(0, (0, 1))
        with Reader(io.BytesIO(other)) as reader, pytest.raises(CorruptFileError, match="cannot be vouched for"):
            reader.verify()
        accepted = decompress(io.BytesIO(other), accept_rounding=True)
        assert "not vouched for" in accepted.attributes[LOSS_ATTRIBUTE]
    assert "rounds otherwise" in caplog.text


def test_loss_that_promises_nothing_is_told_where_a_decoder_rounds_otherwise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lossy, _ = compress_in_memory(scalar(SMALL), codec="jpegls", target=Psnr(45))
    decompress(io.BytesIO(rounded_otherwise(lossy)))
    assert "errors may be larger than recorded" in caplog.text
    with pytest.raises(CorruptFileError, match="SHA-256"):
        decompress(io.BytesIO(rebuilt(lossy, lambda header: header.update(voxel_sha256="0" * 64))))
