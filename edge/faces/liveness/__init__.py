"""Presentation-attack detection: a living face, or a picture of one.

In the order evidence flows: `chips` cuts, `nets` score, `gate` says whether they could judge,
`window` keeps a track's frames, `fusion` decides, `challenge` asks, `check` joins them behind
`edge.ports.LivenessCheck`, `load` opens the files and picks the mode.
"""
