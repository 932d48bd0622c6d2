"""Codecs: a block of integers to bytes and back, one file each.

A codec sees no node, no file and no geometry.
"""

from .base import Codec, Knob, LossyCodec
from .fitted import Block, BlockContext, FittedCodec
from .registry import CODECS, codec_from_config, codec_named, codec_text, describe

__all__ = [
    "CODECS",
    "Block",
    "BlockContext",
    "Codec",
    "FittedCodec",
    "Knob",
    "LossyCodec",
    "codec_from_config",
    "codec_named",
    "codec_text",
    "describe",
]
