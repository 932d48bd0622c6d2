"""Decodes crackle streams in a process of its own; started by crackle_process.py, never imported.

Requests on standard input: the length of a stream (8 bytes, little endian) and the stream.
Answers on standard output: 0 or 1 (one byte) for done or failed, the length of what follows
(8 bytes), then the labels in memory order x, y, z or the text of the error.
"""

import struct
import sys


def main() -> None:
    """Answer requests until standard input closes."""
    # This file's folder comes first on the path and holds a crackle.py of another meaning.
    del sys.path[0]
    import crackle

    requests, answers = sys.stdin.buffer, sys.stdout.buffer
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
