"""The line of a study: one table says which artefacts there are, and small functions make them.

`table` is the table. The functions take from settings and artefacts what the rooms below need, and call these.
"""
