"""The learned codec on images it was not trained on, beside its rivals: a Markdown table of what `bench` measured.

    medcompress bench FILES --methods nrrd,jpegls,htj2k,jpegxl7-slices,jpegxl9-slices,tomoz,causal:0,causal:2 \\
        --repeats 1 --json figures.json
    python Testing/Benchmarks/learned.py MANIFEST.tsv figures.json
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

RIVALS = ("tomoz", "jpegxl7-slices")
LEARNED = ("causal:0", "causal:2")


def main() -> None:
    """Print bits per voxel of each image, means of each modality against the rivals, and speeds."""
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    modality = {Path(row["file"]).name: row["modality"] for row in rows}
    if any(row["use"] != "test" for row in rows if Path(row["file"]).name in _files()):
        sys.exit("An image was measured that the weights were trained on.")
    figures: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for row in json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")):
        figures[row["file"]][row["method"]] = row
    methods = list(dict.fromkeys(method for found in figures.values() for method in found))
    print("| image | " + " | ".join(methods) + " |\n|---|" + "---|" * len(methods))
    for file, found in figures.items():
        cells = [f"{found[method]['bits_per_voxel']:.3f}" if method in found else "" for method in methods]
        print(f"| {file.partition('.')[0]} | " + " | ".join(cells) + " |")
    _print_means(figures, modality)
    _print_speeds(figures, methods)


def _files() -> set[str]:
    return {row["file"] for row in json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))}


def _print_means(figures: dict[str, dict[str, dict[str, float]]], modality: dict[str, str]) -> None:
    """Mean over images of the size against each rival, in percent."""
    pairs = [(learned, rival) for learned in LEARNED for rival in RIVALS]
    print("\n| modality, images | " + " | ".join(f"{a} / {b}" for a, b in pairs) + " |\n|---|" + "---|" * len(pairs))
    for kind in [*dict.fromkeys(modality[file] for file in figures), "all"]:
        files = [file for file in figures if kind in ("all", modality[file])]
        cells = []
        for learned, rival in pairs:
            ratios = [
                figures[file][learned]["size"] / figures[file][rival]["size"] - 1
                for file in files
                if learned in figures[file] and rival in figures[file]
            ]
            cells.append(f"{100 * sum(ratios) / len(ratios):+.1f} %" if ratios else "")
        print(f"| {kind}, {len(files)} | " + " | ".join(cells) + " |")
    larger = [
        f"{file} ({learned})"
        for file, found in figures.items()
        for learned in LEARNED
        if all(method in found for method in (learned, *RIVALS))
        and found[learned]["size"] > min(found[rival]["size"] for rival in RIVALS)
    ]
    print(f"\nLarger than the smaller of {' and '.join(RIVALS)}: {', '.join(larger) or 'none'}.")


def _print_speeds(figures: dict[str, dict[str, dict[str, float]]], methods: list[str]) -> None:
    """Bytes of voxels over seconds, all images together."""
    print("\n| | " + " | ".join(methods) + " |\n|---|" + "---|" * len(methods))
    for title, key in (("save, MB/s", "save_seconds"), ("load, MB/s", "load_seconds")):
        cells = []
        for method in methods:
            done = [found[method] for found in figures.values() if method in found]
            cells.append(f"{sum(row['voxel_bytes'] for row in done) / sum(row[key] for row in done) / 1e6:.2f}")
        print(f"| {title} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
