"""Measurements as text that a person can read in a terminal or paste into a page."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from .measure import NRRD, Measurement

_COLUMNS = ("method", "codec", "MB", "bits/voxel", "save MB/s", "verified", "load MB/s", "of NRRD", "of JXL e7")


def table(rows: Sequence[Measurement]) -> str:
    """A line a method; speeds in original megabytes (10^6 bytes) a second."""
    return _aligned([_COLUMNS, *(_cells(row) for row in rows)])


def _cells(row: Measurement) -> tuple[str, ...]:
    megabytes = row.voxel_bytes / 1e6

    def speed(seconds: float) -> str:
        return f"{megabytes / seconds:.0f}" if seconds else "-"

    return (
        row.method,
        row.codec if row.codec != row.method else "",
        f"{row.size / 1e6:.3f}",
        f"{row.bits_per_voxel:.3f}",
        speed(row.save_seconds),
        speed(row.verified_save_seconds),
        speed(row.load_seconds),
        f"{row.size / row.nrrd_size:.1%}" if row.nrrd_size else "-",
        f"{row.size / row.jpegxl7_size:.1%}" if row.jpegxl7_size else "-",
    )


def summary_table(rows: Sequence[Measurement]) -> str:
    """Over all files, a line a method: total size, mean ratios of sizes, median ratios of times to NRRD's."""
    nrrd = {row.file: row for row in rows if row.method == NRRD}
    lines = [("method", "files", "MB", "of NRRD, total", "mean", "of JXL e7, mean", "save x", "verified x", "load x")]
    for method in dict.fromkeys(row.method for row in rows):
        own = [row for row in rows if row.method == method]
        compared = [(row, nrrd[row.file]) for row in own if row.file in nrrd]
        against = [row.size / row.jpegxl7_size for row in own if row.jpegxl7_size]
        lines.append(
            (
                method,
                str(len(own)),
                f"{sum(row.size for row in own) / 1e6:.1f}",
                _percent(sum(row.size for row, _ in compared), sum(other.size for _, other in compared)),
                f"{statistics.mean(row.size / other.size for row, other in compared):.1%}" if compared else "-",
                f"{statistics.mean(against):.1%}" if against else "-",
                _times([other.save_seconds / row.save_seconds for row, other in compared if row.save_seconds]),
                _times(
                    [
                        other.save_seconds / row.verified_save_seconds
                        for row, other in compared
                        if row.verified_save_seconds
                    ]
                ),
                _times([other.load_seconds / row.load_seconds for row, other in compared if row.load_seconds]),
            )
        )
    return _aligned(lines)


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _times(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.2f}" if ratios else "-"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
