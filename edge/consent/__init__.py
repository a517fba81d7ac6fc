"""Consent as data: notices, rules, signed receipts and retention. Persistence is in `edge.store`."""
