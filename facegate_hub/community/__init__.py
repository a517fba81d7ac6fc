"""What residents and the property tell each other: tickets, notices, visitors, flats and people.

Rules only: nothing here speaks HTTP or MQTT, and the time comes from the clock that is passed in.

book        one commit for a change and its entry in the chain; verifying replays the chain
schema      the tables: the chain, sealed texts, and projections that can be made anew from the chain
database    opens them, brings an older database up to date (migrations)
terms       what the property promises: hours, times to answer, names; clocks are its arithmetic
people      people, flats, and what ties them
duties      what each duty of the property's staff may do; accounts are who has one
entry       invitations, and the devices that are logged in by them
leaving     what ends when somebody leaves a flat
moving_in   many people of the doors' roster at once
machine     the states of a ticket, as a table; tickets applies it, timekeeper lets time pass
photos      pictures, stripped of everything but what they show
wall        what everybody may see: counts, never names
demo        an invented compound, to try all this with
"""
