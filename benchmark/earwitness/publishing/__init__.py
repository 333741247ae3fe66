"""Results as a dataset on the Hugging Face Hub: `python -m earwitness.publishing RUN... --to USER/REPO`."""
