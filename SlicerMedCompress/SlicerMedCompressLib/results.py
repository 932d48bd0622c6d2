"""What a compression achieved, as named figures and a readable line."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class CompressResult:
    """Figures of one compression.

    Attributes:
        path: the file, or empty for a compression in memory.
        original_bytes: voxels in memory. compressed_bytes: the whole file.
        voxel_count: voxels of all frames; one of several components counts once.
        codec, transforms: what was used, by id.
        compress_seconds: from voxels to the finished file, choosing included, verifying not.
        verify_seconds: decoding what was written and comparing; 0 where that was turned off.
        guarantee: in words. maximum_error, root_mean_square_error: measured, stored units; psnr in dB over
            the image's range, None where nothing was lost.
        exact_samples: samples in a region that was kept bit for bit.
        target, reached: what was asked for in words, and its number for this file; whole_encodes: how
            often the whole image was coded to get there.
    """

    path: str
    original_bytes: int
    compressed_bytes: int
    voxel_count: int
    codec: str
    transforms: tuple[str, ...]
    compress_seconds: float
    verify_seconds: float
    guarantee: str = "identical to the original"
    verified: bool = True
    maximum_error: float = 0.0
    root_mean_square_error: float = 0.0
    psnr: float | None = None
    exact_samples: int = 0
    target: str = ""
    reached: float | None = None
    whole_encodes: int = 1

    @property
    def ratio(self) -> float:
        """Original bytes a compressed byte."""
        return self.original_bytes / self.compressed_bytes

    @property
    def bits_per_voxel(self) -> float:
        """Compressed bits a voxel, all its components together."""
        return 8 * self.compressed_bytes / self.voxel_count

    @property
    def seconds(self) -> float:
        """The whole wait: compressing and verifying."""
        return self.compress_seconds + self.verify_seconds

    @property
    def megabytes_per_second(self) -> float:
        """Original megabytes (10^6 bytes) a second of the whole wait."""
        return self.original_bytes / 1e6 / max(self.seconds, 1e-9)

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values."""
        return {
            **asdict(self),
            "ratio": self.ratio,
            "bits_per_voxel": self.bits_per_voxel,
            "megabytes_per_second": self.megabytes_per_second,
        }

    def __str__(self) -> str:
        proof = f"verified: {self.guarantee}" if self.verified else f"{self.guarantee}, not verified"
        where = f"{self.path}: " if self.path else ""
        return (
            f"{where}{readable_bytes(self.original_bytes)} -> {readable_bytes(self.compressed_bytes)}, "
            f"ratio {self.ratio:.2f}, {self.bits_per_voxel:.3f} bits per voxel, "
            f"{self.megabytes_per_second:.3g} MB/s, {readable_setting(self.codec)} ({proof})"
        )


def readable_setting(codec: str) -> str:
    """A codec as it is named, with long fractions of its setting shortened: htj2k-lossy:111."""
    return re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.4g}", codec)


def readable_bytes(count: int) -> str:
    """A size in decimal units, as disks are sold: 29.4 MB."""
    if count < 1000:
        return f"{count} bytes"
    scaled = [(count / 10**power, unit) for power, unit in ((3, "kB"), (6, "MB"), (9, "GB"), (12, "TB"))]
    value, unit = next((pair for pair in scaled if pair[0] < 999.95), scaled[-1])
    return f"{value:.1f} {unit}"
