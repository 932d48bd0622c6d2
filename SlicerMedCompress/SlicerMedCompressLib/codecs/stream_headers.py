"""Reading the size a stream announces, before a library allocates memory for it.

A hostile file can carry a well-formed stream of a billion pixels. Each function returns
(rows, columns, components) or raises CorruptStreamError; none decodes anything.
"""

from __future__ import annotations

import struct

from ..errors import CorruptStreamError

Size = tuple[int, int, int]
_TILE_ORIGIN, _SUBSAMPLING, _END_OF_SIZE = slice(32, 40), slice(43, 45), 45
_START_OF_TILE, _CODING_STYLE, _QUANTIZATION = b"\xff\x90", 0xFF52, 0xFF5C


def check_size(found: Size, shape: tuple[int, int, int]) -> None:
    """Raise CorruptStreamError unless a stream holds the tall gray image of a block (slice, row, column)."""
    expected = (shape[0] * shape[1], shape[2], 1)
    if found != expected:
        raise CorruptStreamError(f"A tile announces {found} rows, columns and components instead of {expected}.")


def jpeg_size(payload: bytes) -> Size:
    """Size in the frame header of JPEG (ITU-T T.81 B.2.2) and JPEG-LS (ITU-T T.87 C.2.2)."""
    position = 2
    if payload[:2] != b"\xff\xd8":
        raise CorruptStreamError("A tile does not start as JPEG does.")
    while position + 9 < len(payload) and payload[position] == 0xFF:
        marker = payload[position + 1]
        length = struct.unpack_from(">H", payload, position + 2)[0]
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            rows, columns, components = struct.unpack_from(">HHB", payload, position + 5)
            return rows, columns, components
        position += 2 + length
    raise CorruptStreamError("A tile has no JPEG frame header.")


def check_jpeg_end(payload: bytes) -> None:
    """Raise CorruptStreamError unless a JPEG or JPEG-LS stream has its end marker (ITU-T T.81 B.1.1.3).

    CharLS 2.4 runs forever on many a stream without, and libjpeg makes up what is missing.
    """
    if payload[-2:] != b"\xff\xd9":
        raise CorruptStreamError("A tile of JPEG ends early.")


def jpeg2000_size(payload: bytes) -> Size:
    """Size in the SIZ marker segment of a raw codestream (ISO/IEC 15444-1 A.5.1), for Part 15 as well."""
    if len(payload) < 42 or payload[:4] != b"\xff\x4f\xff\x51":
        raise CorruptStreamError("A tile does not start as a JPEG 2000 codestream does.")
    x_size, y_size, x_origin, y_origin, tile_x, tile_y = struct.unpack_from(">6I", payload, 8)
    components = struct.unpack_from(">H", payload, 40)[0]
    if x_origin or y_origin or tile_x < x_size or tile_y < y_size:
        raise CorruptStreamError("A tile is cut into JPEG 2000 tiles, which MedCompress never writes.")
    return y_size, x_size, components


def check_htj2k_header(payload: bytes) -> None:
    """Raise CorruptStreamError for what OpenJPH 0.26 does not check, after ``jpeg2000_size``.

    One flipped bit in the origin of tiles makes it run forever, one in the length of the quantization
    or in an exponent that becomes 31 ends the process (ISO/IEC 15444-1 A.5.1, A.6.4).
    """
    if payload[4:6] != b"\0\x29" or any(payload[_TILE_ORIGIN]) or payload[_SUBSAMPLING] != b"\1\1":
        raise CorruptStreamError("A tile's JPEG 2000 grid is not one that MedCompress writes.")
    position, levels = _END_OF_SIZE, None
    while position + 14 <= len(payload) and payload[position : position + 2] != _START_OF_TILE:
        marker, length = struct.unpack_from(">HH", payload, position)
        if marker == _CODING_STYLE:
            levels = payload[position + 9]
        elif marker == _QUANTIZATION and levels is not None:
            size = 1 if payload[position + 4] & 31 == 0 else 2
            exponents = payload[position + 5 : position + 2 + length : size]
            if length == 3 + size * (3 * levels + 1) and max(exponents, default=255) >> 3 < 31:
                return
            break
        position += 2 + length
    raise CorruptStreamError("A tile's JPEG 2000 header does not say how it is quantized.")


class _BitReader:
    """Bits of a JPEG XL header, least significant first (ISO/IEC 18181-1 B.2)."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def bits(self, count: int) -> int:
        if count > self._left:
            raise CorruptStreamError("A JPEG XL header ends early.")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value


def jpegxl_size(payload: bytes) -> Size:
    """Size in a JPEG XL codestream (ISO/IEC 18181-1 D.2, D.3), bare or in its container.

    Refuses previews, animations and extra channels, which MedCompress never writes and which
    would cost memory beyond the size announced.
    """
    reader = _BitReader(_jpegxl_codestream(payload)[2:64])
    small = reader.bits(1)

    def length() -> int:
        if small:
            return 8 * (reader.bits(5) + 1)
        return 1 + reader.bits((9, 13, 18, 30)[reader.bits(2)])

    rows = length()
    ratio = reader.bits(3)
    if ratio == 0:
        columns = length()
    else:
        numerator, denominator = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        columns = rows * numerator // denominator
    if reader.bits(1):
        return rows, columns, 3
    if reader.bits(1):
        raise CorruptStreamError(
            "A tile has a JPEG XL preview, animation or orientation, which MedCompress never writes."
        )
    if reader.bits(1):
        raise CorruptStreamError("A tile holds floating point JPEG XL samples, which MedCompress never writes.")
    if reader.bits(2) == 3:
        reader.bits(6)
    reader.bits(1)
    if reader.bits(2):
        raise CorruptStreamError("A tile has extra JPEG XL channels, which MedCompress never writes.")
    return rows, columns, 1


def _jpegxl_codestream(payload: bytes) -> bytes:
    if payload[:2] == b"\xff\x0a":
        return payload[:64]
    position = 0
    while position + 16 <= len(payload):
        length, kind = struct.unpack_from(">I4s", payload, position)
        if kind == b"jxlc":
            return payload[position + 8 : position + 72]
        if length < 8:
            break
        position += length
    raise CorruptStreamError("A tile does not start as JPEG XL does.")
