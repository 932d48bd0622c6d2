"""What Slicer's file reader and writer of a scripted module do; the module file names the classes."""

from __future__ import annotations

import logging
import zipfile
from typing import Any

import slicer

from ..errors import MedCompressError
from .conversion import is_supported
from .logic import MedCompressLogic

FILE_TYPE = "MedCompressFile"
SUFFIX = ".mcz"
WRITER_CONFIDENCE = 0.3
"""Below that of Slicer's own writers: NRRD stays what Save offers first."""


class ReaderImplementation:
    """Reads `.mcz` into new nodes. ``parent`` is Slicer's qSlicerScriptedFileReader."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent

    def description(self) -> str:
        """What the Add Data dialog shows."""
        return "MedCompress compressed image"

    def fileType(self) -> str:
        """Name of the file type in ``slicer.util.loadNodeFromFile``."""
        return FILE_TYPE

    def extensions(self) -> list[str]:
        """File dialog filters."""
        return ["Compressed image (*.mcz)"]

    def canLoadFileConfidence(self, filePath: str) -> float:
        """0.9 for a ZIP archive with a header.json under a name that ends in .mcz, else 0.0."""
        if not str(filePath).lower().endswith(SUFFIX):
            return 0.0
        try:
            with zipfile.ZipFile(filePath) as archive:
                return 0.9 if "header.json" in archive.namelist() else 0.0
        except Exception:
            # A damaged .mcz is still ours: loading it tells the user what is wrong with it.
            return 0.9

    def load(self, properties: dict[str, Any]) -> bool:
        """Load ``properties["fileName"]``; on failure tell why and leave the scene as it was."""
        try:
            node = MedCompressLogic().load(properties["fileName"], name=properties.get("name"))
        except MedCompressError as error:
            self.reportError(str(error))
            return False
        self.parent.loadedNodes = [node.GetID()]
        return True

    def reportError(self, message: str) -> None:
        """Show a sentence to the user."""
        logging.error(message)


class WriterImplementation:
    """Writes volumes, segmentations and sequences. ``parent`` is Slicer's qSlicerScriptedFileWriter."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent

    def description(self, obj: Any = None) -> str:
        """What the Save dialog shows."""
        return "MedCompress compressed image"

    def fileType(self) -> str:
        """Name of the file type in ``slicer.util.saveNode``."""
        return FILE_TYPE

    def extensions(self, obj: Any) -> list[str]:
        """File dialog filters."""
        return ["Compressed image (*.mcz)"]

    def canWriteObjectConfidence(self, obj: Any) -> float:
        """WRITER_CONFIDENCE for nodes that MedCompress takes, else 0.0."""
        return WRITER_CONFIDENCE if is_supported(obj) else 0.0

    def write(self, properties: dict[str, Any]) -> bool:
        """Write the node ``properties["nodeID"]`` to ``properties["fileName"]``."""
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        try:
            MedCompressLogic().compress(node, properties["fileName"])
        except MedCompressError as error:
            self.reportError(str(error))
            return False
        self.parent.writtenNodes = [node.GetID()]
        return True

    def reportError(self, message: str) -> None:
        """Show a sentence to the user."""
        logging.error(message)
