"""What `import earwitness` offers: explainers scored from Python, tasks and models loaded, results read."""
