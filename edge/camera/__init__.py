"""Frames from a file, a USB, RTSP or CSI camera, one protocol, stamped on arrival."""
