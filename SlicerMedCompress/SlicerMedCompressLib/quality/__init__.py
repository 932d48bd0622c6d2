"""How good a reconstruction is: measures from the literature, computed by well-kept libraries."""
