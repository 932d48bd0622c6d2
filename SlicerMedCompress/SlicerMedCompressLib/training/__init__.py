"""Training the weights that ship: samples of the images of a manifest, and the loop over them. Needs torch."""
