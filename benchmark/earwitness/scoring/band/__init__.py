"""Scoring of the band track: stems, pairs with and without a word, and what a judge hears without its attention."""
