"""What Slicer's Python console and the panel call: nodes in, files and nodes out."""

from __future__ import annotations

import io
import os
from typing import Any

import slicer

from .. import compression
from ..codecs import CODECS, Codec, describe
from ..progress import ProgressCallback
from ..results import CompressResult
from .conversion import image_to_node, node_to_image
from .placement import place_beside


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
    ) -> CompressResult:
        """Write a volume, segmentation or sequence node as `.mcz`, lossless and verified.

        Args:
            preset: ``"fast"`` or ``"balanced"`` (the default). codec: an id instead, such as
                ``"jpegls"`` or ``"jpegxl:7"``.
        """
        return compression.compress(
            node_to_image(node), path, preset=preset, codec=codec, threads=threads, verify=verify, progress=progress
        )

    def load(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> Any:
        """A new node in the scene from an `.mcz`, named as the original was, or as given."""
        image = compression.decompress(path, threads=threads, progress=progress)
        fallback = os.path.splitext(os.path.basename(os.fspath(path)))[0]
        return image_to_node(image, slicer.mrmlScene, name or image.name or fallback)

    def reconstruct(
        self,
        node: Any,
        codec: str | Codec | None = None,
        preset: str | None = None,
        threads: int | None = None,
        progress: ProgressCallback | None = None,
    ) -> Any:
        """Compress and decompress through memory: a new node beside the old one, shown alike.

        The figures of the compression are in ``lastResult``.
        """
        first = None if progress is None else lambda done, stage: progress(0.7 * done, stage)
        second = None if progress is None else lambda done, stage: progress(0.7 + 0.3 * done, stage)
        data, result = compression.compress_in_memory(
            node_to_image(node), codec=codec, preset=preset, threads=threads, progress=first
        )
        image = compression.decompress(io.BytesIO(data), threads=threads, progress=second)
        title = CODECS[result.codec.partition(":")[0]].title
        reconstructed = image_to_node(image, slicer.mrmlScene, f"{node.GetName()} ({title})")
        place_beside(reconstructed, node)
        self.lastResult = result
        return reconstructed

    lastResult: CompressResult | None = None

    @staticmethod
    def codecs() -> list[dict[str, Any]]:
        """Capabilities of every codec, and why one is not available."""
        return [describe(codec) for codec in CODECS.values()]
