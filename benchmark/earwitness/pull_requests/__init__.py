"""A pull request that adds a submission: what it may change, what its explainer is worth, and what is said of it there.

Who opens one is a stranger. What it adds is read out of git by this checkout's code (`scope`), explained in a box and
scored beside baselines (`scoring`), told in Markdown (`page`); a comment is made of that page as of any stranger's text
(`comment`). A rank is not its business: that takes a run on all items.
"""
