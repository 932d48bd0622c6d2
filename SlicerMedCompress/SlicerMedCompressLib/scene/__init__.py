"""MRML nodes to Image and back. Only this part and the widget know Slicer.

Nothing here is imported unless a node is at hand, so `slicer` and `vtk` may be imported at the
top of the files in it.
"""
