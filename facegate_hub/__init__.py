"""The property's side: keeps the roster, stores every door's events, and gives commands.

service        one connection to the broker and the parts that use it
ingest         takes events from the broker; batches reads them, events stores each once
rollout        carries the roster to the doors; roster is the log of who may enter
commands       the two steps of a command; requests is what was asked for, through the database
configuration  what is wanted of doors' settings, and what doors say about it
notices        what displays are to say; community is what residents and property tell each other
devices        which door is there, and how far its roster is
staff          what people do, as plain calls; reading and sheets give them events and spreadsheets
crew           worker processes that divide the doors' events
key_server     hands doors the key that opens their faces
signer         a process of its own: the key, who may ask for what, and the audit of it
orders         commands from the desk; asks carries those of other programs; inbox has alarms and doubts
people         who is in the roster, what doors tell of them, its export and erasure
alerts         tells people outside of alarms; alert_channels are the ways, home_assistant another
doubts         signs of tampering in doors' journals
clerk          what every part has: turns for doors, patience with the database (postgres)
retention      forgets what has been kept long enough
metrics        what Prometheus reads
tables         what the hub remembers; database opens SQLite or PostgreSQL
"""
