"""Submissions from the Hugging Face Hub: an address with a commit, the files that it holds, a plain folder of them."""
