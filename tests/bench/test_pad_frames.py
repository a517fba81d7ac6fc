"""Single frames and one-second means, on scores made up here."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.bench.pad.challenge import RecordedPose
from edge.bench.pad.frames import Scored, frame_rates, frame_table, opinions
from edge.bench.pad.poses import chance_table, chances, yaw_range_deg
from edge.bench.pad.set import Presentation

PAIR = ("silentface-2.7", "silentface-4.0")


def scored(species: str, person: str, *scores: float, name: str = "faceplugin") -> Scored:
    return Scored(Presentation(Path("x"), person, species), tuple({name: one} for one in scores))


class TestRates:
    def test_attacks_are_averaged_over_clips_and_people_over_people(self):
        rates = frame_rates(
            "faceplugin",
            ("faceplugin",),
            [
                scored("live", "a", 0.9, 0.9, 0.9, 0.4),
                scored("live", "a", 0.9, 0.9, 0.9, 0.9),
                scored("live", "b", 0.8),
                scored("phone", "a", 0.1, 0.6),
                scored("phone", "b", 0.1, 0.1, 0.1),
                scored("phone", "c"),
            ],
        )

        assert rates.at[0.5] == pytest.approx((0.25, 0.5, 1 / 16))
        assert rates.at[0.9][2] == pytest.approx((1 / 8 + 1) / 2)
        assert rates.auc == 1.0

    def test_a_mean_over_ten_frames_evens_a_bad_one_out(self):
        rates = frame_rates("faceplugin", ("faceplugin",), [scored("live", "a", *[0.2] + [0.9] * 19)])

        assert rates.at[0.5][2] == pytest.approx(0.05)
        assert rates.windows[2] == 0.0

    def test_without_attacks_no_network_is_perfect(self):
        rates = frame_rates("faceplugin", ("faceplugin",), [scored("live", "a", 0.9)])

        assert (rates.auc, rates.at[0.5]) == (None, (None, None, 0.0))
        assert "| faceplugin | - | - / 0.0 |" in frame_table([rates])

    def test_auc_counts_ties_half(self):
        rates = frame_rates(
            "faceplugin", ("faceplugin",), [scored("live", "a", 0.5), scored("phone", "a", 0.5)]
        )

        assert rates.auc == 0.5

    def test_the_pairs_veto_holds_in_a_rule(self):
        frames = ({PAIR[0]: 0.3, PAIR[1]: 0.3, "faceplugin": 0.9},)
        attack = Scored(Presentation(Path("x"), "a", "phone"), frames)

        (rule,) = [name for name in opinions([*PAIR, "faceplugin"]) if name.startswith("rule")]
        rates = frame_rates(rule, opinions([*PAIR, "faceplugin"])[rule], [attack])

        assert rates.at[0.5][0] == 0.0

    def test_opinions_are_every_network_the_pair_and_the_rules(self):
        assert list(opinions([*PAIR, "faceplugin", "texture"])) == [
            *PAIR,
            "faceplugin",
            "texture",
            "pair",
            "rule: silentface-2.7 + silentface-4.0 + faceplugin",
            "rule: silentface-2.7 + silentface-4.0 + texture",
            "rule: silentface-2.7 + silentface-4.0 + faceplugin + texture",
        ]
        assert list(opinions(["faceplugin"])) == ["faceplugin"]

    def test_the_table_has_a_row_for_each(self):
        shown = [scored("live", "a", 0.9), scored("phone", "a", 0.1)]
        rates = frame_rates("faceplugin", ("faceplugin",), shown)

        assert frame_table([rates]).splitlines()[-1].startswith("| faceplugin | 1.000 | 0.0 (0) / 0.0 |")


class TestChances:
    def still(self) -> list[RecordedPose]:
        return [RecordedPose(n / 15, 2.0, 60.0) for n in range(60)]

    def turning(self) -> list[RecordedPose]:
        return [RecordedPose(n / 15, 28.0 if n % 60 > 30 else -5.0, 60.0) for n in range(120)]

    def test_turning_faces_are_told_apart_from_still_ones(self):
        assert yaw_range_deg(self.still()) == 0.0
        assert yaw_range_deg(self.turning()) == 33.0

        found = chances([self.still(), self.turning()], tries=20)

        assert [(one.steps, one.count) for one in found] == [(2, 1), (2, 2), (3, 1), (3, 2)]
        assert all(one.per_window[0] >= one.per_try[0] for one in found)
        assert len(chance_table(found).splitlines()) == 6

    def test_without_a_turning_face_there_is_no_row_for_them(self):
        assert [one.faces for one in chances([self.still()], tries=5)] == ["all", "all"]
