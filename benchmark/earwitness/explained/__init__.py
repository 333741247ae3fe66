"""`earwitness explain`: one input of the user's own, explained, scored and shown on a page."""
