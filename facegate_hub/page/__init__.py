"""The page for residents' phones, `facegate hub page`.

It holds no signing key, has no connection to the broker and does not open the hub's database: whoever takes
it over can do what residents can, visibly, and nothing else.
"""
