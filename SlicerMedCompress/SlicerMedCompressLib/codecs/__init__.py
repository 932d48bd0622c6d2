"""Codecs: a block of integers to bytes and back, one file each.

A codec sees no node, no file and no geometry.
"""

from .base import Codec, Knob
from .registry import CODECS, codec_from_config, codec_named, describe

__all__ = ["CODECS", "Codec", "Knob", "codec_from_config", "codec_named", "describe"]
