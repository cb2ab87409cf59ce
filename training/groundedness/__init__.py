"""How the head of `Groundedness` and its table of words were made: `words`, then `train`."""
