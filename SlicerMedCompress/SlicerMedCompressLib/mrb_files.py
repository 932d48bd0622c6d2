"""The one sequence in a `.mrb` or `.seq.mrb` of Slicer, read without Slicer.

Such a file is a ZIP with one scene (`.mrml`, an XML file of one element a node) and the data files it
names. A whole scene keeps a sequence in one file, a `.seq.nrrd` or again a `.seq.mrb`; a `.seq.mrb`
is the scene of its frames, each with a file, beside a node that lists their index values.

Nothing is unpacked under a name from the archive, and nothing that grows beyond what volumes do.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote
from xml.parsers import expat

import numpy as np

from .errors import InputError, UnsupportedImageError
from .image import VECTOR_TYPE, FrameAxis, Image, Kind

MRB_SUFFIXES = (".seq.mrb", ".mrb")
MAXIMUM_SCENE_BYTES = 1 << 26
MOST_INFLATION = 1000
"""A member may hold so many times the bytes it takes in the archive."""
MAXIMUM_DEPTH = 2
"""A bundle may hold the bundle of its sequence; no deeper."""

_INDEX_TAG = "SequenceIndex"
_VOLUME_TAGS = {"Volume": Kind.SCALAR, "LabelMapVolume": Kind.LABEL, "VectorVolume": Kind.VECTOR}
_DATA_SUFFIXES = (".seq.nrrd", ".seq.mrb", ".nii.gz", ".nrrd", ".nii", ".mha", ".mrb", ".tif", ".tiff")
ReadFile = Callable[[Path, Kind | None], Image]


@dataclass(frozen=True)
class Node:
    """One node of a scene: the name of its element and its attributes."""

    tag: str
    fields: dict[str, str]


def read_bundle(path: Path, name: str, read_file: ReadFile, depth: int = 0) -> Image:
    """The sequence in a bundle as an image with frames.

    Args:
        name: what the image is called if the scene gives the sequence no name of its own.
        read_file: reads the data files inside.
        depth: how many bundles this one is in.

    Raises:
        InputError, UnsupportedImageError: naming the file, the problem and what to do.
    """
    if depth >= MAXIMUM_DEPTH:
        raise InputError(f'"{path}" holds bundles within bundles; save its sequence as .seq.nrrd.')
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="medcompress-") as folder:
            return _read_scene(Bundle(path, archive, Path(folder)), name, read_file, depth)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, expat.ExpatError) as error:
        raise InputError(f'Cannot read "{path}": it is no scene of Slicer, or is damaged. ({error})') from error
    except OSError as error:
        raise InputError(f'Cannot read "{path}": {error.strerror or error}.') from error


class Bundle:
    """An open bundle: its scene's nodes, and its data files one at a time."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, folder: Path):
        self.path, self.archive, self.folder = path, archive, folder
        scenes = [member for member in archive.infolist() if member.filename.lower().endswith(".mrml")]
        if len(scenes) != 1:
            raise InputError(f'"{path}" holds {len(scenes)} scenes, where a bundle of Slicer holds one.')
        self.root = PurePosixPath(scenes[0].filename).parent
        if scenes[0].file_size > MAXIMUM_SCENE_BYTES:
            raise InputError(f'"{path}": its scene is too large to be one; save the sequence alone, as .seq.nrrd.')
        self._check_size(scenes[0])
        self.nodes = _nodes(archive.read(scenes[0]), path)
        self.by_id = {node.fields["id"]: node for node in self.nodes if "id" in node.fields}

    def _check_size(self, member: zipfile.ZipInfo) -> None:
        if member.file_size > MOST_INFLATION * (member.compress_size + 1):
            raise InputError(f'"{self.path}": a file in it grows more than {MOST_INFLATION} times; it is not opened.')
        if member.file_size > shutil.disk_usage(self.folder).free:
            raise InputError(f'"{self.path}": no room on the disk of "{self.folder.parent}" for the files in it.')

    def data_file(self, node: Node) -> Path:
        """A copy of the data file of a node; it may be deleted after use."""
        storage = self.by_id.get(_reference(node, "storage"))
        name = unquote(storage.fields.get("fileName", "")) if storage is not None else ""
        suffix = next((suffix for suffix in _DATA_SUFFIXES if name.lower().endswith(suffix)), None)
        if suffix is None:
            raise InputError(
                f'"{self.path}": the data of "{_name(node)}" are in no file that can be read here '
                f'("{name[:100]}"); save the sequence as .seq.nrrd.'
            )
        member = self._member(name)
        self._check_size(member)
        target = self.folder / f"data{suffix}"
        with self.archive.open(member) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        return target

    def _member(self, name: str) -> zipfile.ZipInfo:
        with suppress(KeyError):
            return self.archive.getinfo((self.root / name).as_posix())
        raise InputError(f'"{self.path}" has no file "{name[:100]}", which its scene names; save it again.')


def _nodes(text: bytes, path: Path) -> list[Node]:
    """The nodes of a scene. A document type is refused, and with it all entities that could be declared."""
    nodes: list[Node] = []

    def refuse(*_: object) -> None:
        raise InputError(f'"{path}": its scene declares a document type, which no scene of Slicer does.')

    def add(tag: str, fields: dict[str, str]) -> None:
        nodes.append(Node(tag, fields))

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = add
    parser.Parse(text, True)
    return nodes


def _reference(node: Node, role: str) -> str:
    """The first node that a node refers to in a role; older scenes have it in a field of its own."""
    for entry in node.fields.get("references", "").split(";"):
        found, _, identifiers = entry.partition(":")
        if found.strip() == role and identifiers.split():
            return identifiers.split()[0]
    return (node.fields.get(f"{role}NodeRef", "").split() or [""])[0]


def _name(node: Node) -> str:
    return node.fields.get("name", "")


def _read_scene(bundle: Bundle, name: str, read_file: ReadFile, depth: int) -> Image:
    sequences = [node for node in bundle.nodes if node.tag == "Sequence"]
    if len(sequences) != 1:
        count = len(sequences) or "no"
        raise InputError(
            f'"{bundle.path}" holds {count} sequences, and a .mcz holds one; '
            "load it in Slicer and save each sequence as .seq.nrrd."
        )
    sequence = sequences[0]
    if sequence.fields.get("singletonTag") == _INDEX_TAG:
        return _read_frames(bundle, sequence, name, read_file)
    data = bundle.data_file(sequence)
    inner = _name(sequence) or name
    if data.name.endswith(MRB_SUFFIXES):
        return read_bundle(data, inner, read_file, depth + 1)
    image = read_file(data, None)
    if image.frame_axis is None:
        raise InputError(f'"{bundle.path}": its sequence has no frames that can be read; save it as .seq.nrrd.')
    return replace(image, name=inner)


def _read_frames(bundle: Bundle, sequence: Node, name: str, read_file: ReadFile) -> Image:
    """The frames of a `.seq.mrb`, each read from its own file into its place."""
    values, frames = _index(bundle, sequence)
    voxels: np.ndarray | None = None
    first: Image | None = None
    for number, node in enumerate(frames):
        if node.tag not in _VOLUME_TAGS:
            raise UnsupportedImageError(f'"{bundle.path}": its sequence holds nodes that are not volumes.')
        image = _read_frame(bundle, node, read_file)
        if first is None or voxels is None:
            first, voxels = image, np.empty((len(frames), *image.voxels.shape[1:]), image.voxels.dtype)
        differing = _differences(first, image)
        if image.frame_axis is not None or differing:
            reason = ", ".join(differing) or "having frames itself"
            raise UnsupportedImageError(
                f'"{bundle.path}": frame {number} differs from the first in {reason}; make the frames alike in Slicer.'
            )
        voxels[number] = image.voxels[0]
    if first is None or voxels is None:
        raise InputError(f'"{bundle.path}" holds a sequence without frames.')
    axis = FrameAxis(
        tuple(values),
        sequence.fields.get("indexName", ""),
        sequence.fields.get("indexUnit", ""),
        sequence.fields.get("indexType") != "text",
        tuple(map(_name, frames)),
    )
    return replace(first, voxels=voxels, name=name, dimension=4, frame_axis=axis)


def _read_frame(bundle: Bundle, node: Node, read_file: ReadFile) -> Image:
    """One volume of a scene; the scene, not its file, tells what its components are."""
    vector_type = node.fields.get("voxelVectorType", "undefined")
    if node.tag != "VectorVolume":
        return read_file(bundle.data_file(node), _VOLUME_TAGS[node.tag])
    if vector_type.startswith("spatial"):
        raise UnsupportedImageError(
            f'"{bundle.path}": "{_name(node)}" holds vectors in space, which are read from .seq.nrrd only; save it so.'
        )
    kind = Kind.COLOR if vector_type.startswith("color") else Kind.VECTOR
    image = read_file(bundle.data_file(node), kind)
    return replace(image, attributes={**image.attributes, VECTOR_TYPE: vector_type})


def _index(bundle: Bundle, sequence: Node) -> tuple[list[str], list[Node]]:
    """Index values and nodes of the frames, from `ID:value;ID:value`; a value may hold colons and semicolons."""
    values: list[str] = []
    frames: list[Node] = []
    for entry in sequence.fields.get("indexValues", "").split(";"):
        identifier, colon, value = entry.partition(":")
        if colon and identifier in bundle.by_id:
            values.append(value)
            frames.append(bundle.by_id[identifier])
        elif values:
            values[-1] += ";" + entry
    return values, frames


def _differences(first: Image, other: Image) -> list[str]:
    """In what a frame that was read on its own is not like the first, so that they make no sequence."""
    pairs: dict[str, tuple[object, object]] = {
        "geometry": (first.geometry, other.geometry),
        "kind": (first.kind, other.kind),
        "size": (first.voxels.shape, other.voxels.shape),
        "voxel type": (first.voxels.dtype, other.voxels.dtype),
    }
    return [name for name, (one, two) in pairs.items() if one != two]
