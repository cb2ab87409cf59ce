"""The guard in front of a real chat model client."""
