"""Times of evenly spaced frames, which is all that formats but NRRD keep; of NIfTI read from the file itself.

ITK turns the step of a NIfTI file to seconds, and tells neither that nor the unit. The fields are at the
same places in all NIfTI-1 files (https://nifti.nimh.nih.gov/nifti-1).
"""

from __future__ import annotations

import gzip
import logging
import math
import struct
import zlib
from decimal import Decimal
from pathlib import Path

import numpy as np

from .image import FrameAxis

NIFTI_SUFFIXES = (".nii", ".nii.gz")
_HEADER_BYTES = 348
_STEP_OFFSET, _UNITS_OFFSET, _START_OFFSET = 92, 123, 136
_TIME_UNIT_BITS = 0x38
_UNITS = {
    8: ("time", "s"),
    16: ("time", "ms"),
    24: ("time", "us"),
    32: ("frequency", "Hz"),
    40: ("chemical shift", "ppm"),
    48: ("angular frequency", "rad/s"),
}
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6}
_logger = logging.getLogger(__name__)


def read_time_axis(path: Path, count: int) -> FrameAxis | None:
    """Times of the frames as the file has them, in its own unit; None if it is no NIfTI-1 file.

    Steps that are no positive numbers are no times: such frames are numbered from 0.
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error):
        return None
    order = next((order for order in "<>" if header[:4] == struct.pack(f"{order}i", _HEADER_BYTES)), None)
    if order is None or len(header) < _HEADER_BYTES:
        return None
    (step,) = struct.unpack_from(f"{order}f", header, _STEP_OFFSET)
    (start,) = struct.unpack_from(f"{order}f", header, _START_OFFSET)
    name, unit = _UNITS.get(header[_UNITS_OFFSET] & _TIME_UNIT_BITS, ("time", ""))
    # The shortest decimals that are these float32: what someone wrote, as a rule.
    values = evenly_spaced(str(np.float32(start)), str(np.float32(step)), count)
    return FrameAxis(values, name, unit) if math.isfinite(step) and step > 0 else FrameAxis(values)


def evenly_spaced(start: str, step: str, count: int) -> tuple[str, ...]:
    """So many index values from decimals; the numbers from 0 unless the step is positive and both are finite."""
    if not (math.isfinite(float(step)) and float(step) > 0 and math.isfinite(float(start))):
        start, step = "0", "1"
    # In decimals, so that the fourth of 2.3 is 6.9 and not 6.8999999999999995.
    first, distance = Decimal(start), Decimal(step)
    return tuple(f"{(first + distance * number).normalize():f}" for number in range(count))


def start_and_step(axis: FrameAxis | None, name: str) -> tuple[float, float]:
    """Start and step of the frames, as formats keep them that keep evenly spaced times only.

    Times are turned to seconds, which is what ITK writes; of what is lost a warning is given. 0 and 1
    where the index values are not numbers, or not evenly spaced.
    """
    try:
        values = np.array([float(value) for value in axis.values] if axis is not None else [])
    except ValueError:
        values = np.empty(0)
    steps = np.diff(values)
    even = (
        len(values) and np.all(np.isfinite(values)) and np.all(steps > 0) and np.allclose(steps, steps[:1], rtol=1e-6)
    )
    if axis is None or not even:
        _logger.warning(
            "%s: the frames are numbered from 0, since the format keeps evenly spaced times only; "
            ".seq.nrrd keeps any index.",
            name,
        )
        return 0.0, 1.0
    if axis.unit not in ("", "s"):
        told = "times are written in seconds" if axis.unit in _SECONDS else f'the unit "{axis.unit}" is left out'
        _logger.warning("%s: %s, since the format keeps no other unit; .seq.nrrd keeps any.", name, told)
    scale = _SECONDS.get(axis.unit, 1.0)
    return float(values[0]) * scale, (float(steps[0]) if len(steps) else 1.0) * scale
