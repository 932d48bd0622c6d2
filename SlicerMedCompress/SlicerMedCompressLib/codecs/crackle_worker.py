"""Decodes crackle streams in a process of its own; started by crackle_process.py, never imported.

First an "R" on standard output: crackle is imported, requests may come.
Requests on standard input: the length of a stream (8 bytes, little endian) and the stream.
Answers on standard output: 0 or 1 (one byte) for done or failed, the length of what follows
(8 bytes), then the labels in memory order x, y, z or the text of the error.
"""

import os
import struct
import sys


def main() -> None:
    """Answer requests until standard input closes."""
    # This file's folder may be on the path and holds a crackle.py of another meaning.
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != here]
    import crackle

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(b"R")
    answers.flush()
    while len(head := requests.read(8)) == 8:
        stream = requests.read(struct.unpack("<Q", head)[0])
        try:
            failed, answer = 0, crackle.decompress(stream).tobytes(order="F")
        except Exception as error:
            failed, answer = 1, str(error).encode()
        answers.write(struct.pack("<BQ", failed, len(answer)))
        answers.write(answer)
        answers.flush()


if __name__ == "__main__":
    main()
