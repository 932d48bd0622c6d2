"""Backends of the learned codec beside the numpy one: they must say the same of any tile and any stream."""

from __future__ import annotations

import numpy as np
from learned_samples import HOOD, Shape

from SlicerMedCompressLib.errors import CorruptStreamError
from SlicerMedCompressLib.learned.backends import Backend
from SlicerMedCompressLib.learned.model import Model
from SlicerMedCompressLib.learned.numpy_backend import NumpyBackend
from SlicerMedCompressLib.learned.tile_codec import PREFIX, decode_tile, encode_tile
from SlicerMedCompressLib.learned.tile_stream import TileStream
from SlicerMedCompressLib.learned.tile_values import TileValues

NUMPY = NumpyBackend()


def assert_same(
    backend: Backend,
    block: np.ndarray,
    model: Model,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> None:
    """Predictions and payload as numpy's; it decodes to the image."""
    tile = TileValues.of(block, HOOD, model.largest, reference, slopes)
    expected, found = NUMPY.predict(tile, model), backend.predict(tile, model)
    assert found.centre.dtype == expected.centre.dtype
    assert found.level.dtype == expected.level.dtype
    np.testing.assert_array_equal(found.centre, expected.centre)
    np.testing.assert_array_equal(found.level, expected.level)
    payload = encode_tile(block, model, NUMPY, reference, slopes)
    assert encode_tile(block, model, backend, reference, slopes) == payload
    decoded = decode_tile(payload, block.shape, model, backend, reference, slopes)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, block)


def stream_of(payload: bytes) -> TileStream:
    """The stream in a payload."""
    return TileStream.parse(payload[PREFIX.size :])


def decoded(
    backend: Backend,
    stream: TileStream,
    shape: Shape,
    model: Model,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> np.ndarray:
    """The voxels that a backend makes of a stream."""
    tile = TileValues.blank(shape, HOOD, model.largest, stream.first, reference, slopes)
    backend.decode(stream, tile, model)
    return tile.voxels.astype(np.uint16)


def outcome(
    backend: Backend,
    stream: TileStream | bytes,
    shape: Shape,
    model: Model,
    reference: np.ndarray | None = None,
    slopes: np.ndarray | None = None,
) -> object:
    """The voxels that a stream or a payload decodes to, or what is said about its damage."""
    try:
        if isinstance(stream, bytes):
            return decode_tile(stream, shape, model, backend, reference, slopes).tolist()
        return decoded(backend, stream, shape, model, reference, slopes).tolist()
    except CorruptStreamError as error:
        return str(error)
