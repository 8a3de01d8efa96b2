"""The line of a study: one table says which artefacts there are, and small functions make them.

`table` is the table. The functions only pick what the rooms below need from the declared settings and artefacts.
"""
