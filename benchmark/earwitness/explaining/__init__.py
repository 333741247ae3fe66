"""What explainers share: likelihoods, gradients and maps of the prompt and speech tracks; scaled latents, a training
loop and sparse autoencoders of the concept track.

A submission may import this package beside its track's file.
"""
