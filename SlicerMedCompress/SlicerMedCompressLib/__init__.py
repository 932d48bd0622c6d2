"""MedCompress: compression of medical volumes that keeps what a volume means.

Importing this package needs numpy and the standard library only. Codec libraries,
SimpleITK, pydicom and Slicer are imported where they are used, and a missing one is
reported with what to install and what still works.

Data flows one way::

    node or file -> Image -> transforms -> tiles -> codec -> container (.mcz), and back

``image`` holds the voxels, their geometry and meaning; ``transforms`` makes them small
integers; ``codecs`` turn blocks of integers into bytes; ``container`` is the file;
``presets`` choose by measurement; ``compression`` runs the whole way; ``scene`` talks to
Slicer; ``widget`` shows it; ``cli`` is the terminal.
"""

__version__ = "0.2.0"
