"""Small images made up for tests; real ones are in test_shared_data.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from SlicerMedCompressLib.appearance import ColorTable, Display
from SlicerMedCompressLib.codecs import CODECS
from SlicerMedCompressLib.image import SUPPORTED_TYPES, FrameAxis, Geometry, Image, Kind
from SlicerMedCompressLib.mixed_sequence import MixedSequence
from SlicerMedCompressLib.playback import Browser
from SlicerMedCompressLib.segments import Segment, Segmentation

INSTALLED = [name for name, codec in CODECS.items() if codec.unavailable_reason() is None]
LOSSLESS = [name for name in INSTALLED if CODECS[name].guarantee == "lossless"]
TYPES = [np.dtype(name) for name in SUPPORTED_TYPES]

OBLIQUE = Geometry(
    (-91.79669952392578, 0.1, 1e-7),
    (0.7, 0.9765620231628418, 1 / 3),
    (
        (-0.7122208463905191, 0.3077143295324899, 0.6309147139220772),
        (-0.701112263301166, -0.26779849867557154, -0.6608521568708379),
        (-0.034395642390990966, -0.9130147071693205, 0.4064739235372731),
    ),
)


def head(shape: tuple[int, int, int] = (20, 50, 60), dtype: str = "int16") -> np.ndarray:
    """A smooth ball with noise in air, like a head in a scanner; (slice, row, column)."""
    random = np.random.default_rng(7)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij"))
    ball = np.clip(1.2 - np.sqrt((grid**2).sum(axis=0)), 0, 0.6) * 1500
    values = ball + random.normal(0, 12, shape) + (0 if np.dtype(dtype).kind == "u" else -200)
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    return (np.clip(values, limits.min, limits.max) if limits else values).astype(dtype)


def scalar(voxels: np.ndarray, **fields: object) -> Image:
    """An image of one frame and one component from (slice, row, column)."""
    return Image(voxels[np.newaxis, ..., np.newaxis], **fields)  # type: ignore[arg-type]


def described_head() -> Image:
    """A head with every optional field filled."""
    return scalar(
        head(),
        geometry=OBLIQUE,
        name='Kopf "ä" 頭',
        quantity="CodeValue:112031|CodingSchemeDesignator:DCM|CodeMeaning:Attenuation Coefficient",
        units="CodeValue:[hnsf'U]|CodingSchemeDesignator:UCUM|CodeMeaning:Hounsfield unit",
        attributes={"key": "value", "empty": "", "line\nbreak": "\t ü"},
        display=Display(
            window=350.5,
            level=40.1,
            lower_threshold=-100.0,
            upper_threshold=3000.25,
            apply_threshold=True,
            interpolate=False,
            color_table=ColorTable(
                "", "mine", "User", ("a", "b"), ((0.1, 0.2, 0.3, 1.0), (1.0, 0.0, 0.0, 0.5)), (True, False)
            ),
        ),
    )


def segmentation() -> Image:
    """Two overlapping segments on two layers and one more, with terminology."""
    labels = np.zeros((1, 12, 14, 16, 2), np.uint8)
    labels[0, 2:8, 3:9, 4:10, 0] = 1
    labels[0, 9:11, 3:9, 4:10, 0] = 2
    labels[0, 4:10, 5:11, 6:12, 1] = 1
    tags = {"TerminologyEntry": "Segmentation category and type~SCT^85756007^Tissue", "my: key": "a | b: c\nd"}
    return Image(
        labels,
        geometry=OBLIQUE,
        kind=Kind.SEGMENTATION,
        name="organs",
        segmentation=Segmentation(
            (
                Segment("S1", "liver", 1, 0, (0.8, 0.4, 0.1), tags=tags, opacity=0.5),
                Segment("S2", "tumor ü", 2, 0, (0.1, 1 / 3, 0.9), visible=False),
                Segment(
                    "overlap", "vessel", 1, 1, (0.0, 1.0, 0.0), color_auto_generated=True, name_auto_generated=True
                ),
            )
        ),
    )


def sequence() -> Image:
    """Four frames with uneven times."""
    frames = np.stack([head((6, 20, 22)) + 10 * number for number in range(4)])[..., np.newaxis]
    return Image(
        frames,
        dimension=4,
        name="cine",
        frame_axis=FrameAxis(("0", "40.5", "81", "130"), "time", "ms", True, ("f0", "f1", "f2", "f3")),
    )


def mixed_sequence() -> MixedSequence:
    """Two frames that are alike with attributes of their own, a larger one, labels, a segmentation; played."""
    axis = FrameAxis(("0", "10.5", "20", "30", "44"), "time", "ms", True, ("f0", "f1", "f2", "f3", "f4"))
    alike = np.stack([head((6, 20, 22)) + 10 * number for number in range(2)])[..., np.newaxis]
    parts = (
        Image(
            alike,
            dimension=4,
            name="heart",
            attributes={"all": "same"},
            frame_axis=replace(axis.part((0, 1)), attributes=({"uid": "1.2.3"}, {"uid": "1.2.4", "odd": ""})),
            display=Display(window=350.5, level=40.0),
        ),
        replace(described_head(), voxels=head((7, 24, 20))[np.newaxis, ..., np.newaxis], name="f2"),
        scalar((head((6, 20, 22)) > 100).astype(np.uint8), geometry=OBLIQUE, kind=Kind.LABEL, name="f3"),
        segmentation(),
    )
    browser = Browser(name="player", playback_rate=12.5, looped=False, selected_item=3, proxy_name="shown")
    return MixedSequence(parts, ((0, 1), (2,), (3,), (4,)), axis, "heart", browser)


def full_range(dtype: np.dtype, shape: tuple[int, ...] = (3, 17, 19)) -> np.ndarray:
    """Noise over all values of a type, both ends included; floats of all bit patterns, NaN among them."""
    random = np.random.default_rng(3)
    bits = random.integers(0, 256, (*shape, dtype.itemsize), np.uint8).view(dtype).reshape(shape).copy()
    if dtype.kind in "iu":
        bits.flat[0], bits.flat[-1] = np.iinfo(dtype).min, np.iinfo(dtype).max
    else:
        bits.flat[:5] = [np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).tiny / 4]
    return bits


@st.composite
def images(draw: st.DrawFn) -> Image:
    """Any image of any type and odd shape: labels, vectors, sequences, constant or wild voxels."""
    dtype = draw(st.sampled_from(TYPES))
    shape = tuple(
        draw(st.integers(1, limit)) for limit in draw(st.sampled_from([(3, 9, 13, 13, 4), (1, 90, 90, 2, 1)]))
    )
    elements = draw(st.sampled_from(["any", "few", "constant"]))
    whole = stnp.from_dtype(dtype)
    chosen = {
        "any": whole,
        "few": st.sampled_from([dtype.type(v) for v in (0, 1, 7, 100)]),
        "constant": st.just(draw(whole)),
    }
    voxels = draw(stnp.arrays(dtype, shape, elements=chosen[elements]))
    kinds = [Kind.SCALAR] if shape[-1] == 1 else [Kind.VECTOR, Kind.COLOR]
    if dtype.kind != "f" and shape[-1] == 1:
        kinds.append(Kind.LABEL)
    axis = FrameAxis(tuple(str(number) for number in range(shape[0]))) if shape[0] > 1 else None
    texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
    return Image(
        voxels,
        geometry=OBLIQUE,
        kind=draw(st.sampled_from(kinds)),
        name=draw(texts),
        dimension=4 if axis else 3,
        attributes=draw(st.dictionaries(texts, texts, max_size=3)),
        frame_axis=axis,
    )
