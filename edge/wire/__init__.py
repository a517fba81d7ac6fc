"""What door and property say to each other: shapes, topics, envelopes, signatures, records, commands."""
