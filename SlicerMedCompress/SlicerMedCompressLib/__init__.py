"""MedCompress: compression of medical volumes that keeps what a volume means.

Importing this package needs numpy and the standard library only. Codec libraries,
SimpleITK, pydicom and Slicer are imported where they are used, and a missing one is
reported with what to install and what still works.

Data flows one way::

    node or file -> Image -> transforms -> tiles -> codec -> container (.mcz), and back

``image`` holds the voxels, their geometry and meaning; ``transforms`` makes them small
integers; ``codecs`` turn blocks of integers into bytes; ``container`` is the file;
``presets`` choose by measurement on a ``sampling``; ``compression`` runs the whole way; ``scene``
talks to Slicer; ``widget`` shows it; ``cli`` is the terminal.

With loss, ``targets`` say what to keep, a ``request`` gathers what was asked, ``lossy_plans`` turn it into
ways to code, ``target_search`` finds the setting, and ``tolerance`` checks every voxel; ``sweep`` and
``quality`` measure what loss costs.
"""

__version__ = "0.2.0"
