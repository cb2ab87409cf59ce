"""How `Groundedness` tells claims that a text supports from those that only look like it.

A claim is put beside the passages that share most with it (`source`), word by word (`alignment`); what
differs is noted: amounts and dates (`quantities`, `amounts`), negations, opposites and scope (`lexicon`,
`sense`), names, order and additions (`comparison`), and, with embeddings, meaning (`meaning`). Small trees
weigh the notes (`head`), trained by `training/groundedness`. Everything is linear in the length of the texts.
"""
