"""The main job, end to end, on a real volume: node, `.mcz`, node, proof, and Slicer's NRRD beside it."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from .benchmark import bench, table
from .benchmark.measure import NRRD
from .errors import InputError, MissingLibraryError
from .files import read_image
from .image import same_voxels
from .presets import QUICK_PRESETS


def sample_volume() -> Path:
    """The MNI152 T1 template (Fonov et al. 2011) that the nilearn package carries.

    Raises MissingLibraryError if nilearn is not installed.
    """
    # The package is found, not imported: the volume is all that is wanted of it.
    package = importlib.util.find_spec("nilearn")
    if package is None or package.origin is None:
        raise MissingLibraryError(
            'The demo\'s volume comes with nilearn: "pip install nilearn", or name an image of your own.'
        )
    folder = Path(package.origin).parent / "datasets" / "data"
    found = sorted(folder.glob("mni_icbm152_t1*.nii.gz"))
    if not found:
        raise InputError("This version of nilearn has no MNI152 T1; name an image of your own.")
    return found[0]


def run_demo(path: Path | None, threads: int | None) -> int:
    """Run it and print what happened; exit status 0 if all is identical.

    Raises MissingLibraryError where slicer-core is not installed.
    """
    try:
        from .scene.conversion import image_to_node, node_to_image
        from .scene.logic import MedCompressLogic
        from .scene.standalone import new_scene
    except ImportError as error:
        raise MissingLibraryError(
            f'The demo needs a MRML scene: "pip install slicer-core", or run it in Slicer. ({error})'
        ) from error
    source = path or sample_volume()
    standalone = new_scene()
    node = image_to_node(read_image(source), standalone.scene)
    original = node_to_image(node)
    print(f"{source.name}: {original.voxels.shape[1:4]} voxels (slices, rows, columns), {original.voxels.dtype.name}")
    logic = MedCompressLogic()
    identical = True
    with tempfile.TemporaryDirectory() as folder:
        for preset in QUICK_PRESETS:
            target = Path(folder) / f"{preset}.mcz"
            print(f"{preset:>9}: {logic.compress(node, target, preset=preset, threads=threads)}")
            reloaded = node_to_image(logic.load(target))
            same = same_voxels(reloaded.voxels, original.voxels) and reloaded.geometry == original.geometry
            print(f"           reloaded as a new node: voxels and geometry {'identical' if same else 'DIFFER'}")
            identical &= same
    rows = list(bench([source], [NRRD, *QUICK_PRESETS], 3, threads, lambda line: None))
    print("\nBeside Slicer's own NRRD of the same node, written and read by slicer-core in this run:\n")
    print(table(rows))
    if path is None:
        print("\nThis template has 8 bits and is half empty, which suits gzip; scanners make 16 bits. Try your own.")
    return 0 if identical else 1
