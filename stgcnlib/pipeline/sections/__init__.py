"""The sections of a study: their fields, defaults and limits. `stgcnlib.pipeline.study` reads study files."""
