"""Every failure a user can meet, as a sentence that says what to do."""

from __future__ import annotations


class MedCompressError(Exception):
    """Base of all errors that MedCompress raises on purpose."""


class UnsupportedImageError(MedCompressError):
    """The image cannot be compressed as asked: its type, its shape or its meaning."""


class CorruptFileError(MedCompressError):
    """A file is not a valid `.mcz`, or was damaged; the message names the file and the problem."""


class CorruptStreamError(MedCompressError):
    """A tile payload is not what its codec writes, or does not fit the tile it stands for."""


class EncodingError(MedCompressError):
    """A codec library failed on a tile that it should take; another codec will do."""


class MissingLibraryError(MedCompressError):
    """A library that a codec or a file format needs is not installed."""


class OutputError(MedCompressError):
    """A file could not be written; whatever was there before is untouched."""


class InputError(MedCompressError):
    """A file could not be read, or holds something that is not an image."""


class VerificationError(MedCompressError):
    """What was written did not decode to what was given, so nothing was kept."""


class UnreachableTargetError(MedCompressError):
    """No setting of the codec gives what was asked for; the message tells the nearest that it gives."""


class Cancelled(MedCompressError):
    """The user cancelled; no file and no node was left behind."""

    def __init__(self) -> None:
        super().__init__("Cancelled; nothing was written.")
