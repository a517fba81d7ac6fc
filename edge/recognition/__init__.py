"""From frames to decisions: the pipeline, what is remembered of a visit, and its evidence."""
