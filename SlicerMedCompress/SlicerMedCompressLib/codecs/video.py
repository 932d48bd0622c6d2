"""Slices as the frames of a gray video: what HEVC and AV1 share, through PyAV and without a container.

A payload is the shape of the block (three numbers of 4 bytes, little endian), then for every slice the
length of its packet (4 bytes) and the packet, in the order of coding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import CorruptStreamError

_SHAPE = struct.Struct("<3I")
_LENGTH = struct.Struct("<I")
_MULTIPLE = 8
"""Rows and columns are padded to multiples of this: neither format then crops by itself."""
_ALIGNMENT = 128
"""FFmpeg counts the pixels of a line up to a multiple of this or less."""


@dataclass(frozen=True)
class VideoFormat:
    """How FFmpeg is asked for frames of one kind.

    Attributes:
        encoder, decoder: FFmpeg's names. pixel_format: FFmpeg's name, of two bytes a sample.
        bits: of a sample. smallest: fewest rows and columns the encoder takes.
        check_packet: raises CorruptStreamError for a packet that no encoder here would write.
    """

    encoder: str
    decoder: str
    pixel_format: str
    bits: int
    smallest: int
    check_packet: Callable[[bytes], None] = field(default=lambda packet: None)

    def padded(self, shape: tuple[int, int, int]) -> tuple[int, int]:
        """Rows and columns of the frames for a block."""
        rows, columns = (max(self.smallest, -(-length // _MULTIPLE) * _MULTIPLE) for length in shape[1:])
        return rows, columns


def encode_video(av: ModuleType, block: np.ndarray, form: VideoFormat, options: dict[str, str]) -> bytes:
    """The slices of a block as a video coded with the encoder's options, by one thread."""
    rows, columns = form.padded(block.shape)  # type: ignore[arg-type]
    context = av.CodecContext.create(form.encoder, "w")
    context.width, context.height, context.pix_fmt = columns, rows, form.pixel_format
    context.framerate, context.time_base = 25, Fraction(1, 25)
    context.thread_count = 1
    context.options = dict(options)
    packets: list[bytes] = []
    for number, picture in enumerate(block):
        frame = av.VideoFrame(columns, rows, form.pixel_format)
        frame.pts = number
        edges = [(0, length - found) for length, found in zip((rows, columns), picture.shape, strict=True)]
        _samples(frame.planes[0])[...] = np.pad(picture, edges, "edge")
        for chroma in frame.planes[1:]:
            _samples(chroma)[...] = 1 << (form.bits - 1)
        packets.extend(bytes(packet) for packet in context.encode(frame))
    packets.extend(bytes(packet) for packet in context.encode(None))
    if len(packets) != len(block):
        raise RuntimeError(f"{form.encoder} made {len(packets)} packets of {len(block)} slices")
    parts = [_SHAPE.pack(*block.shape)]
    for packet in packets:
        parts += [_LENGTH.pack(len(packet)), packet]
    return b"".join(parts)


def decode_video(
    av: ModuleType, payload: bytes, form: VideoFormat, shape: tuple[int, int, int], dtype: np.dtype
) -> np.ndarray:
    """The block of this shape and type.

    Raises CorruptStreamError, or what FFmpeg raises, before frames of another size or number are taken:
    FFmpeg refuses frames of more pixels before it allocates them, and one packet gives one frame.
    """
    rows, columns = form.padded(shape)
    context = av.CodecContext.create(form.decoder, "r")
    context.thread_count = 1
    limit = rows * (-(-columns // _ALIGNMENT) * _ALIGNMENT)
    context.options = {"max_pixels": str(limit), "err_detect": "explode"}
    block = np.empty(shape, dtype)
    largest = np.iinfo(dtype).max
    found = 0
    for packet in [*_packets(payload, form, shape), None]:
        for frame in context.decode(None if packet is None else av.Packet(packet)):
            if (frame.height, frame.width, frame.format.name) != (rows, columns, form.pixel_format):
                raise CorruptStreamError(f"A tile holds frames of {frame.width} x {frame.height} {frame.format.name}.")
            if found == len(block) or frame.is_corrupt:
                raise CorruptStreamError("A tile holds more slices than its block, or damaged ones.")
            block[found] = np.minimum(_samples(frame.planes[0])[: shape[1], : shape[2]], largest)
            found += 1
    if found != len(block):
        raise CorruptStreamError(f"A tile holds {found} slices instead of {len(block)}.")
    return block


def _packets(payload: bytes, form: VideoFormat, shape: tuple[int, int, int]) -> Iterator[bytes]:
    if len(payload) < _SHAPE.size or _SHAPE.unpack_from(payload) != tuple(shape):
        raise CorruptStreamError(f"A tile does not announce a block of shape {shape}.")
    position = _SHAPE.size
    for _ in range(shape[0]):
        start = position + _LENGTH.size
        if start > len(payload):
            raise CorruptStreamError("A tile holds fewer packets than slices.")
        position = start + _LENGTH.unpack_from(payload, start - _LENGTH.size)[0]
        packet = payload[start:position]
        if not packet or position > len(payload):
            raise CorruptStreamError("A packet of a tile is empty or ends early.")
        form.check_packet(packet)
        yield packet
    if position != len(payload):
        raise CorruptStreamError("A tile is longer than its packets.")


def _samples(plane: Any) -> np.ndarray:
    """The plane of a frame as rows of samples; writing to it writes to the frame."""
    lines = np.frombuffer(plane, "<u2").reshape(plane.height, plane.line_size // 2)
    return lines[:, : plane.width]
