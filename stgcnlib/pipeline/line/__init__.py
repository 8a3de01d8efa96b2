"""The line of a study: one table says which artefacts there are, and small functions make them.

The table is in `table`. The functions take what they need from settings and artefacts, and call the rooms below.
"""
