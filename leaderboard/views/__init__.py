"""How an item of each track is drawn: one file a track, `draw(fields, arrays, explanation, seconds)`."""
