"""A sweep as a table in a terminal and as a picture."""

from __future__ import annotations

from pathlib import Path

from ..libraries import library
from ..results import readable_setting
from ..sweep import Sweep, SweepPoint

_HEADINGS = ("codec", "bits/voxel", "ratio", "PSNR dB", "SSIM", "max error", "encode MB/s", "decode MB/s", "BD-rate")


def sweep_table(found: Sweep) -> str:
    """A line a setting; the BD-rate against the reference stands at each codec's first."""
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for codec, rate in found.bd_rates.items():
        shown = "reference" if codec == found.reference else "-" if rate is None else f"{rate:+.1f} %"
        rows += [_cells(point, shown if first == 0 else "") for first, point in enumerate(found.of(codec))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(point: SweepPoint, rate: str) -> tuple[str, ...]:
    return (
        readable_setting(point.setting),
        f"{point.bits_per_voxel:.3f}",
        f"{point.ratio:.1f}",
        f"{point.psnr:.2f}",
        f"{point.ssim:.4f}",
        f"{point.maximum_error:.4g}",
        f"{point.encode_speed:.0f}",
        f"{point.decode_speed:.0f}",
        rate,
    )


def draw_sweep(found: Sweep, path: Path, title: str) -> None:
    """PSNR and SSIM over bits per voxel, a line a codec; the file's ending chooses the format.

    Raises MissingLibraryError without matplotlib.
    """
    library("matplotlib", "matplotlib", "A plot").use("Agg")
    plots = library("matplotlib.pyplot", "matplotlib", "A plot")
    ticker = library("matplotlib.ticker", "matplotlib", "A plot")
    drawing, axes = plots.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for axis, measure, label in zip(axes, ("psnr", "ssim"), ("PSNR (dB)", "SSIM"), strict=True):
        for codec in found.bd_rates:
            points = found.of(codec)
            rates = [point.bits_per_voxel for point in points]
            axis.plot(rates, [getattr(point, measure) for point in points], marker="o", markersize=4, label=codec)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(ticker.FixedLocator([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]))
        axis.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axis.xaxis.set_minor_locator(ticker.NullLocator())
        axis.set_xlabel("bits per voxel")
        axis.set_ylabel(label)
        axis.grid(True, alpha=0.25)
    axes[0].legend(frameon=False)
    drawing.suptitle(title)
    drawing.savefig(path, dpi=110)
    plots.close(drawing)
