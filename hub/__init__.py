"""The property's side: keeps the roster, stores every door's events, and gives commands.

tables    what the hub remembers, in SQLite or PostgreSQL
events    the event sink: stores once, looks for gaps and tampering, says how far
roster    the log of who may enter, and what it answers to a door
commands  the two steps of a remote unlock, asked for through the database
service   one connection to the broker and the parts that use it
"""
