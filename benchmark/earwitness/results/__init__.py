"""Results: rows and their files, and the one way from rows to arrays."""
