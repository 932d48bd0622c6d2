"""Writing a file so that at every moment the old one or the new one is there, whole."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file beside ``path``, open for writing and reading, moved over it on success.

    On any failure the temporary file is removed and ``path`` is as it was. The data reach the
    disk before the move, and the move before this returns.

    Raises OutputError with a sentence for what a user can mend: a missing folder, missing rights,
    a full disk.
    """
    target = Path(os.path.realpath(path))
    if os.path.isdir(target):
        raise OutputError(f'"{path}" is a folder; name a file to write.')
    temporary = target.with_name(f".{target.name[:120]}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise _explained(path, error) from error
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(OSError):
            os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        os.replace(temporary, target)
        _flush_folder(target.parent)
    except OSError as error:
        raise _explained(path, error) from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _flush_folder(folder: Path) -> None:
    # Windows cannot open folders, and some network file systems cannot flush them.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explained(path: Path, error: OSError) -> OutputError:
    advice = {
        errno.ENOENT: "the folder does not exist; create it or choose another",
        errno.ENOTDIR: "a part of the path is not a folder; choose another path",
        errno.EACCES: "you have no right to write there; choose another folder",
        errno.EPERM: "you have no right to write there; choose another folder",
        errno.EROFS: "the disk is read-only; choose another folder",
        errno.ENOSPC: "the disk is full; free some space or choose another disk",
        errno.EDQUOT: "your disk quota is used up; free some space or choose another disk",
        errno.EFBIG: "the disk does not take files of this size; choose another disk",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    }.get(error.errno or 0, error.strerror or str(error))
    return OutputError(f'Cannot write "{path}": {advice}. Nothing was changed.')
