"""Threads, clocks, health and systemd: what carries frames to the controller."""
