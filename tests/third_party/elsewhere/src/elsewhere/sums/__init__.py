"""A track that Earwitness does not have: which numbers make a sum. Its contract is `track`."""
