"""What people see and hear of an item: sounds, pictures, curves and documents, listed in a manifest beside them.

Scoring leaves them; no value depends on any. Whoever shows them reads the manifests and knows no track.
"""
