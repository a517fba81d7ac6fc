"""facegate: a face-recognition door-access controller for edge devices.

The packages, in the order a frame meets them:

camera      frames from a file, USB, RTSP or CSI camera; stamped on arrival
faces       detector, tracker, quality, liveness, alignment, embedder, model files
matcher     exact identification in the gallery; similarity threshold from an error rate
policy      evidence over a visit; access levels, schedules, door modes
pipeline    observe(frame): the whole recognition on one screen
controller  handle(frame): observe, journal, open
relay       the lock, its guard process, door sensors
store       residents, templates and the append-only journal, in SQLite
sync        events and roster over MQTT; the only place that imports paho
runtime     threads, clocks, health, systemd
service     the composition root: the only place that knows everyone
"""

__version__ = "0.1.0"
