"""How an item of each track is drawn: one file a track, `draw(fields, arrays, explanation, seconds)`.

Beside it `title(fields)`, `choose(fields)`, and three names: `ORIGINAL`, what the item's own sound is called, empty
where it has none; `GIVEN`, whether arrays of the item and of the explanation are read for `draw`; `SOUNDS`, what sounds
that are drawn below are called, by the label of the exhibit. Under `fields["exhibits"]` stand paths by label and part.
"""
