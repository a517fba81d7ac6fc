"""The other half of the door: what residents and property tell each other, and every step of it.

Rules only: nothing here speaks HTTP or MQTT, and time comes from the clock that is given.

book        one commit for a change and its entry in the chain; verifying replays the chain
schema      the tables: the chain, sealed texts, and projections that can be made anew from the chain
database    opens them, brings an older database up to date (migrations)
terms       what the property promises: hours, times to answer, names; clocks are its arithmetic
people      people, flats, and what ties them
duties      what each duty of the property's staff may do; accounts are who has one
entry       invitations, and the devices and sessions that came of them
machine     the states of a ticket, as a table; tickets applies it, timekeeper lets time pass
photos      pictures that carry nothing but what is seen on them
wall        what everybody may see: counts, never names
demo        a compound that does not exist, to try all this with
"""
