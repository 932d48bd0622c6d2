"""The learned lossless codec: causal context, linear predictions, an integer network, a range coder.

    tile ─ tile_values ─┬─ linear ─────────────┐
    (neighbourhood,     └─ contexts ─ network ─┴─ prediction ─ distributions ─ range_coder ─ stream
     tile_geometry)                                (centre, width)   (integer tables)

Encoding knows every voxel, so it looks at many at a time. Decoding goes in skewed planes: all voxels of a plane
``column + a x row + b x slice`` depend on earlier planes only, so a plane is one batch.

Sources: the shape of it follows MRP and TMW (Meyer and Tischer 2001; Matsuda et al. 2005) with linear predictions by
class, and integer networks for entropy coding (Ballé et al., ICLR 2019); single parts name theirs.
"""
