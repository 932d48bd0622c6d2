"""The picture of the README from a benchmark's JSON.

python Testing/Benchmarks/plot.py figures.json Resources/Screenshots/Lossless.png
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

TITLES = {"nrrd": "Slicer's NRRD", "fast": "MedCompress Fast", "balanced": "MedCompress Balanced"}
COLORS = {"nrrd": "#8a8f98", "fast": "#e08a3c", "balanced": "#3a7fb5"}
PANELS = (
    ("Size", "% of NRRD, mean"),
    ("Save", "MB/s, median"),
    ("Save and verify", "MB/s, median"),
    ("Load", "MB/s, median"),
)


def figures(rows: list[dict[str, Any]], method: str) -> tuple[float, float, float, float]:
    """Mean size in percent of NRRD, median MB/s of saving, of saving and verifying (0: never), of loading."""
    own = [row for row in rows if row["method"] == method]

    def speed(key: str) -> float:
        return statistics.median(row["voxel_bytes"] / 1e6 / row[key] if row[key] else 0.0 for row in own)

    size = 100 * statistics.mean(row["size"] / row["nrrd_size"] for row in own)
    return size, speed("save_seconds"), speed("verified_save_seconds"), speed("load_seconds")


def main() -> None:
    """Draw four bar charts side by side."""
    rows = json.loads(Path(sys.argv[1]).read_text())
    measured = {method: figures(rows, method) for method in TITLES}
    count = len({row["file"] for row in rows})
    plt.rcParams.update({"font.size": 11, "font.family": "DejaVu Sans"})
    drawing, axes = plt.subplots(1, 4, figsize=(11, 3.4), layout="constrained")
    for panel, (axis, (title, unit)) in enumerate(zip(axes, PANELS, strict=True)):
        values = [measured[method][panel] for method in TITLES]
        bars = axis.bar(range(3), values, color=[COLORS[method] for method in TITLES], width=0.7)
        axis.bar_label(bars, [f"{value:.0f}" if value else "never" for value in values], padding=3)
        axis.set_title(f"{title} ({unit})", fontsize=11)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.margins(y=0.15)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=COLORS[method]) for method in TITLES]
    drawing.legend(handles, TITLES.values(), loc="outside lower center", ncols=3, frameon=False)
    drawing.suptitle(f"Lossless, {count} CT and MR volumes, two cores", fontsize=12)
    Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(sys.argv[2], dpi=110)


if __name__ == "__main__":
    main()
