"""Audio models, one file per family: the adapters that tracks ask for, and the architectures of our own."""
