"""The enumerations of libgpiod's Python bindings that are used here."""

from enum import Enum

Value = Enum("Value", {"INACTIVE": 0, "ACTIVE": 1})
Direction = Enum("Direction", ["AS_IS", "INPUT", "OUTPUT"])
Bias = Enum("Bias", ["AS_IS", "UNKNOWN", "DISABLED", "PULL_UP", "PULL_DOWN"])
Edge = Enum("Edge", {"NONE": 0, "RISING": 1, "FALLING": 2, "BOTH": 3})
Clock = Enum("Clock", ["MONOTONIC", "REALTIME", "HTE"])
