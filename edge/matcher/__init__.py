"""The gallery, searched exactly.

Reading order: `exact` (what a similarity is), `admission` (what may enter), `arena` and `gallery`
(where templates live while readers search without locks), `backends` (fast approximate scores with
a proven error bound), `search` (how the bound becomes an exact answer; `backends/scan.c` does both
in one call where there was a compiler), `choice` (which backend, by measurement), `matcher` (the
port), `calibration` (which similarity is enough).
"""
