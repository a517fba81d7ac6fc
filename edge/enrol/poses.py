"""Which head poses good templates need, and how many shots of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Pose(StrEnum):
    """How the head is held; left and right are the person's own."""

    FRONT = "front"
    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is collected, and for how long.

    Yaw up to `straight_yaw_deg` is the front, `turned_yaw_deg` and more a side; a pitch of
    `nodded_pitch_deg` and more is up or down. If the person has not looked straight within
    `patience_seconds`, the camera hangs to one side, and up to `aside_yaw_deg` counts as the front. After
    that time the other poses are given up, so that whoever cannot turn the neck is enrolled all the same.
    """

    front_shots: int = 6
    other_shots: int = 2
    least_shots: int = 4
    interval_seconds: float = 0.4
    patience_seconds: float = 6.0
    limit_seconds: float = 50.0
    straight_yaw_deg: float = 9.0
    aside_yaw_deg: float = 20.0
    turned_yaw_deg: float = 10.0
    nodded_pitch_deg: float = 8.0

    def quota(self, pose: Pose) -> int:
        """Return how many shots of this pose are wanted."""
        return self.front_shots if pose is Pose.FRONT else self.other_shots

    def pose_of(self, yaw_deg: float, pitch_deg: float) -> Pose | None:
        """Return how the head is held, or None between front and side.

        Angles are from how this person looks at this camera, which may hang high or to one side.
        """
        if abs(yaw_deg) >= self.turned_yaw_deg:
            return Pose.LEFT if yaw_deg > 0 else Pose.RIGHT
        if abs(pitch_deg) >= self.nodded_pitch_deg:
            return Pose.UP if pitch_deg > 0 else Pose.DOWN
        return Pose.FRONT if abs(yaw_deg) <= self.straight_yaw_deg else None
