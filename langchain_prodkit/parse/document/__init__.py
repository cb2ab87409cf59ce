"""JSON of a known type, read while it is written: what may stand where, and what is shown of it."""
