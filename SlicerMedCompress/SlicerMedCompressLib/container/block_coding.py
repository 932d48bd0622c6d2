"""One plane of a tile to its entry in the table and its payload, and back."""

from __future__ import annotations

import zlib

import numpy as np

from ..codecs import BlockContext, Codec, FittedCodec
from ..errors import CorruptStreamError
from .frame_coding import decode_after, encode_after, is_predictable
from .header import AFTER_FRAMES, RAW, Entry

NOTHING = BlockContext()


def encode_block(codec: Codec, plane: np.ndarray, context: BlockContext = NOTHING) -> tuple[Entry, bytes]:
    """Entry and payload of a plane (slice, row, column): whichever way is smallest.

    Args:
        context: what the decoder will know beside it.
    """
    block = np.ascontiguousarray(plane)
    bits = block.view(f"u{block.dtype.itemsize}")
    if bits.flat[0] == bits.flat[-1] and np.all(bits == bits.flat[0]):
        return (int(bits.flat[0]),), b""
    payload, flags = _smallest(codec, block, context)
    if len(payload) < block.nbytes:
        return (len(payload), zlib.crc32(payload), *flags), payload
    raw = block.astype(block.dtype.newbyteorder("<"), copy=False).tobytes()
    return (len(raw), zlib.crc32(raw), RAW), raw


def _smallest(codec: Codec, block: np.ndarray, context: BlockContext) -> tuple[bytes, tuple[int, ...]]:
    """The block as the codec sees its context, or on its own, or after other frames."""
    if isinstance(codec, FittedCodec):
        return codec.encode(block, context), ()
    alone = codec.encode(block)
    if not context.references or not is_predictable(block.dtype):
        return alone, ()
    after = encode_after(codec, block, context.references)
    return (alone, ()) if after is None or len(after) >= len(alone) else (after, (AFTER_FRAMES,))


def decode_block(
    codec: Codec,
    entry: Entry,
    payload: bytes,
    shape: tuple[int, int, int],
    dtype: np.dtype,
    context: BlockContext = NOTHING,
) -> np.ndarray:
    """The plane (slice, row, column); CorruptStreamError if its checksum differs or it is of another shape."""
    if len(entry) == 1:
        bits = np.dtype(f"u{dtype.itemsize}")
        if entry[0] > np.iinfo(bits).max:
            raise CorruptStreamError("A constant tile has a value that its type cannot hold.")
        return np.full(shape, entry[0], bits).view(dtype)
    if zlib.crc32(payload) != entry[1]:
        raise CorruptStreamError("The checksum of a tile is wrong: the file was damaged.")
    if len(entry) == 2 and isinstance(codec, FittedCodec):
        return codec.decode(payload, shape, dtype, context)
    if len(entry) == 2:
        return codec.decode(payload, shape, dtype)
    if entry[2] == AFTER_FRAMES:
        return decode_after(codec, payload, context.references)
    if len(payload) != shape[0] * shape[1] * shape[2] * dtype.itemsize:
        raise CorruptStreamError("A tile of raw samples has another length than its samples.")
    return np.frombuffer(payload, dtype.newbyteorder("<")).reshape(shape).astype(dtype, copy=False)
