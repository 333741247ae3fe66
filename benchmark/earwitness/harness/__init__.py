"""The harness: explain, score, resume, verify, the same for every track. It moves paths, ids and rows alone."""
