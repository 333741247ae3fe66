"""The responses that metrics read: one file a track, each class one question that its scoring asks."""
