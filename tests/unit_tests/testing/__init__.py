"""The loopback provider, piece by piece."""
