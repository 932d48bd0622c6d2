"""What Slicer's Python console and the panel call: nodes in, files and nodes out."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import slicer

from .. import compression
from ..codecs import CODECS, Codec, describe
from ..container import Reader
from ..frames import read_frame
from ..mixed_sequence import MixedSequence
from ..progress import ProgressCallback
from ..results import CompressResult
from ..sequence_compression import compress_parts, compress_parts_in_memory, read_content
from ..sweep import DEFAULT_POINTS, sweep
from ..targets import Target
from .charts import SweepNodes, sweep_to_nodes
from .conversion import content_to_node, image_to_node, node_to_content, node_to_image
from .placement import place_beside
from .playing import SequencePlayer
from .regions import exact_region


class MedCompressLogic:
    """Compress nodes of the current MRML scene. Methods run on the calling (main) thread.

    ``progress`` is called with a fraction from 0 to 1 and a stage in words; return False to cancel.
    Errors are MedCompressError with a sentence that says what to do; the scene and the files
    are then as they were.
    """

    def compress(
        self,
        node: Any,
        path: str | os.PathLike[str],
        preset: str | None = None,
        codec: str | Codec | None = None,
        threads: int | None = None,
        verify: bool = True,
        progress: ProgressCallback | None = None,
        target: Target | None = None,
        losslessRegion: Any = None,
        segments: Sequence[str] = (),
        margin: float = 0.0,
        device: str = "auto",
    ) -> CompressResult:
        """Write a volume, segmentation or sequence node as `.mcz`, verified; lossless unless told otherwise.

        Of a sequence the browser node that plays it is kept too, if one does; or give that one, if it plays no other.
        Where frames differ (in size, place, type or kind, or are segmentations), each run of frames that are alike
        is compressed on its own and always verified.

        Args:
            preset: ``"fast"``, ``"balanced"`` (the default) or ``"smallest"``. codec: an id instead, such as
                ``"jpegls"`` or ``"jpegxl:7"``.
            target: what may be lost: ``MaxError(2)``, ``MaxRelativeError(0.01)``, ``Psnr(45)``, ``Ratio(15)``
                or ``BitsPerVoxel(1.5)`` of SlicerMedCompressLib.targets.
            losslessRegion: a segmentation or label volume node whose segments stay bit for bit.
            segments: names or ids of those to keep so, or label values as text; empty for all.
            margin: kept around them too, in mm.
            device: where a learned codec works: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        """
        content = node_to_content(node)
        exact = exact_region(node, content, losslessRegion, segments, margin)
        how: dict[str, Any] = {"preset": preset, "codec": codec, "target": target, "threads": threads}
        how |= {"progress": progress, "device": device}
        if isinstance(content, MixedSequence):
            return compress_parts(content, path, **how)
        return compression.compress(content, path, exact=exact, verify=verify, **how)

    def load(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
        acceptRounding: bool = False,
        device: str = "auto",
    ) -> Any:
        """A new node in the scene from an `.mcz`, named as the original was, or as given.

        Of a sequence that a browser node played it is the sequence node; a browser node is made too.

        Args:
            acceptRounding: load a file with loss even where this decoder rounds otherwise than the one its
                bound was checked with.
            device: where a learned codec works, see ``compress``.
        """
        content = read_content(path, threads=threads, progress=progress, accept_rounding=acceptRounding, device=device)
        fallback = os.path.splitext(os.path.basename(os.fspath(path)))[0]
        return content_to_node(content, slicer.mrmlScene, name or content.name or fallback)

    def loadFrame(
        self,
        path: str | os.PathLike[str],
        index: int,
        name: str | None = None,
        threads: int | None = None,
        acceptRounding: bool = False,
        device: str = "auto",
    ) -> Any:
        """A new node with one frame of a sequence, counted from 0, in the time of a few frames. See ``load``."""
        image = read_frame(path, index, threads=threads, accept_rounding=acceptRounding, device=device)
        return image_to_node(image, slicer.mrmlScene, name or image.name)

    def play(
        self,
        path: str | os.PathLike[str],
        threads: int | None = None,
        acceptRounding: bool = False,
        device: str = "auto",
    ) -> SequencePlayer:
        """A new volume node that shows any frame of a sequence from its file: see ``SequencePlayer.showFrame``.

        Arguments are those of ``load``.
        """
        return SequencePlayer(path, threads=threads, acceptRounding=acceptRounding, device=device)

    def loadPreview(self, path: str | os.PathLike[str], name: str | None = None) -> Any:
        """A new volume node with the small picture that a file of the learned codec keeps; None if it keeps none."""
        with Reader(path) as reader:
            image = reader.preview()
        return None if image is None else image_to_node(image, slicer.mrmlScene, name or image.name)

    def reconstruct(
        self,
        node: Any,
        codec: str | Codec | None = None,
        preset: str | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
        target: Target | None = None,
        losslessRegion: Any = None,
        segments: Sequence[str] = (),
        margin: float = 0.0,
        device: str = "auto",
    ) -> Any:
        """Compress and decompress through memory: a new node beside the old one, shown alike.

        Arguments are those of ``compress``. The figures of the compression are in ``lastResult``.
        """
        first = None if progress is None else lambda done, stage: progress(0.7 * done, stage)
        second = None if progress is None else lambda done, stage: progress(0.7 + 0.3 * done, stage)
        content = node_to_content(node)
        exact = exact_region(node, content, losslessRegion, segments, margin)
        how: dict[str, Any] = {"preset": preset, "codec": codec, "target": target, "threads": threads}
        how |= {"progress": first, "device": device}
        data: bytes
        result: CompressResult
        if isinstance(content, MixedSequence):
            data, result = compress_parts_in_memory(content, **how)
        else:
            data, result = compression.compress_in_memory(content, exact=exact, **how)
        decoded = read_content(io.BytesIO(data), threads=threads, progress=second, device=device)
        titles = [CODECS[used.partition(":")[0]].title for used in result.codec.split(" + ")]
        reconstructed = content_to_node(decoded, slicer.mrmlScene, f"{node.GetName()} ({' + '.join(titles)})")
        place_beside(reconstructed, node)
        self.lastResult = result
        return reconstructed

    def sweep(
        self,
        node: Any,
        codecs: Sequence[str],
        points: int = DEFAULT_POINTS,
        reference: str | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> SweepNodes:
        """Rate against quality of codecs on a volume: the figures, a table node and a plot chart node.

        Args:
            points: settings a codec. reference: the codec that BD-rates refer to; default: the first.
        """
        found = sweep(node_to_image(node), codecs, points, reference, threads, progress)
        return sweep_to_nodes(found, slicer.mrmlScene, node.GetName())

    lastResult: CompressResult | None = None

    @staticmethod
    def codecs() -> list[dict[str, Any]]:
        """Capabilities of every codec, and why one is not available."""
        return [describe(codec) for codec in CODECS.values()]
