"""The loopback provider over real HTTP, driven by the clients people use."""
