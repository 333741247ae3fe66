"""What explainers of the concept track share: scaled latents, a training loop, sparse autoencoders.

A submission may import this package beside its track's file.
"""
