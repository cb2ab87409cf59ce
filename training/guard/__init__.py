"""From a folder of labelled texts to the guard's model folders; every step has a fixed seed."""
