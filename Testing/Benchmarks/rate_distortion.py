"""What wins where among lossy codecs: rate against PSNR on several volumes, and BD-rates.

    python Testing/Benchmarks/rate_distortion.py CT=a.nrrd,b.nrrd MR=c.nrrd --json curves.json --plot curves.png

Each codec at five settings from near-lossless to coarse, whole files. BD-rates (VCEG-M33, PCHIP) are
percent of rate saved (negative) or added at equal PSNR against JPEG 2000. Speeds are original MB a second
at the middle setting: encoding includes decoding and comparing, as every lossy write does.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator

from SlicerMedCompressLib.files import read_image
from SlicerMedCompressLib.sweep import Sweep, sweep

REFERENCE = "jpeg2000-lossy"
CODECS = (
    *("jpeg2000", "htj2k", "jpegxl", "jpeg", "jpegls-near"),
    *("sperr", "sz3", "zfp", "hevc", "av1", "jpegls"),
)
TITLES = {"jpegls": "quantized JPEG-LS"}
Curves = dict[str, dict[str, Sweep]]


def table(curves: Curves) -> str:
    """BD-rates: a line a codec, a column a volume, and the mean of each modality."""
    names = list(next(iter(next(iter(curves.values())).values())).bd_rates)
    heads = [f"{modality} {file}" for modality, sweeps in curves.items() for file in sweeps]
    lines = ["codec | " + " | ".join(heads) + " | " + " | ".join(f"{modality} mean" for modality in curves)]
    for name in names:
        rates = {modality: [found.bd_rates[name] for found in sweeps.values()] for modality, sweeps in curves.items()}
        cells = ["-" if rate is None else f"{rate:+.1f}" for group in rates.values() for rate in group]
        known = [[rate for rate in group if rate is not None] for group in rates.values()]
        means = [f"{statistics.mean(group):+.1f}" if group else "-" for group in known]
        lines.append(f"{TITLES.get(name, name)} | " + " | ".join(cells + means))
    return "\n".join(lines)


def speeds(curves: Curves) -> str:
    """Median encode and decode speed of each codec at its middle setting."""
    lines = []
    for name in next(iter(next(iter(curves.values())).values())).bd_rates:
        points = [found.of(name)[2] for sweeps in curves.values() for found in sweeps.values()]
        encode, decode = (statistics.median(getattr(p, f"{way}_speed") for p in points) for way in ("encode", "decode"))
        lines.append(f"{TITLES.get(name, name)} | {encode:.0f} | {decode:.0f}")
    return "\n".join(lines)


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """One panel a modality: the curves of its first volume, from what ``--json`` wrote."""
    plt.rcParams.update({"font.size": 10, "font.family": "DejaVu Sans"})
    modalities = list(dict.fromkeys(point["modality"] for point in points))
    drawing, axes = plt.subplots(
        1, len(modalities), figsize=(3.9 * len(modalities), 4.3), layout="constrained", squeeze=False
    )
    for axis, modality in zip(axes[0], modalities, strict=True):
        file = next(point["file"] for point in points if point["modality"] == modality)
        own = [point for point in points if point["file"] == file and point["psnr"] < 150]
        for number, name in enumerate(dict.fromkeys(point["codec"] for point in own)):
            curve = [point for point in own if point["codec"] == name]
            rates, quality = ([point[key] for point in curve] for key in ("bits_per_voxel", "psnr"))
            style = {"marker": "o", "markersize": 3, "linewidth": 1.4, "color": f"C{number % 10}"}
            axis.plot(rates, quality, "--" if number > 6 else "-", label=TITLES.get(name, name), **style)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator([0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]))
        axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_title(f"{modality}: {file}", fontsize=10)
        axis.set_xlabel("bits per voxel")
        axis.set_ylabel("PSNR (dB)")
        axis.grid(True, alpha=0.25)
    handles, labels = drawing.axes[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    drawing.savefig(path, dpi=110)


def main() -> None:
    """Measure, print the tables, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modalities", nargs="+", metavar="NAME=IMAGE,IMAGE")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    curves: Curves = {}
    for text in options.modalities:
        modality, _, files = text.partition("=")
        curves[modality] = {}
        for path in map(Path, files.split(",")):
            found = sweep(read_image(path), CODECS, reference="jpeg2000")
            curves[modality][path.name.partition(".")[0]] = found
            print(path.name, {name: rate and round(rate, 1) for name, rate in found.bd_rates.items()}, flush=True)
    print(f"\n{table(curves)}\n\ncodec | encode MB/s | decode MB/s\n{speeds(curves)}")
    points = [
        {"modality": modality, "file": file, **asdict(point)}
        for modality, sweeps in curves.items()
        for file, found in sweeps.items()
        for point in found.points
    ]
    if options.json is not None:
        options.json.write_text(json.dumps(points, indent=1) + "\n")
    if options.plot is not None:
        draw(points, options.plot)


if __name__ == "__main__":
    main()
