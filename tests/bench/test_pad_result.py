"""From tries to the table, the sentence and the page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.bench.pad.page import page
from edge.bench.pad.report import as_json, draw, sentence, still_needed, table
from edge.bench.pad.result import summarise
from edge.bench.pad.set import Presentation
from edge.bench.pad.watch import Try, WatchedRecording
from edge.domain import Liveness, Reason


def shown(species: str, person: str, *passed: bool | None) -> WatchedRecording:
    """A presentation whose tries passed, were refused, or (None) could not be judged."""
    tries = [Try(0.5 * (index + 1), 1, verdict(result)) for index, result in enumerate(passed)]
    return WatchedRecording(Presentation(Path("x.avi"), person, species), tries, [0.01])


def verdict(passed: bool | None) -> Liveness:
    if passed is None:
        return Liveness(False, None, Reason.PAD_NO_RESPONSE)
    return Liveness(passed, 0.9 if passed else 0.1, None if passed else Reason.PRESENTATION_ATTACK)


@pytest.fixture
def result():
    return summarise(
        ["faceplugin"],
        [
            shown("live", "a", True, True, True, False),
            shown("live", "b", True, True),
            shown("live", "c", None),
            shown("phone", "a", False, False),
            shown("phone", "b", False, True),
            shown("print", "a", True),
            shown("print", "b", False),
            shown("mask", "a", None),
        ],
    )


@pytest.fixture
def nobody_alive():
    return summarise(["faceplugin"], [shown("phone", "a", True), shown("live", "c", None)])


class TestNobodyJudged:
    def test_no_rate_of_refusals_is_told(self, nobody_alive):
        assert nobody_alive.bona_fide.bpcer is None
        assert nobody_alive.seconds_to_verdict is None
        assert "none of 1 could be judged" in table(nobody_alive)
        assert "no living person could be judged" in sentence(nobody_alive)
        assert json.loads(json.dumps(as_json(nobody_alive)))["bona_fide"]["bpcer"] is None

    def test_the_plot_has_an_interval_and_no_point(self, nobody_alive, tmp_path):
        draw([nobody_alive], tmp_path / "plot.svg")
        assert "BPCER" in (tmp_path / "plot.svg").read_text() or (tmp_path / "plot.svg").stat().st_size


class TestFigures:
    def test_species_come_worst_first(self, result):
        assert [(one.name, one.judged, one.accepted) for one in result.species] == [
            ("print", 2, 1),
            ("mask", 0, 0),
            ("phone", 2, 0),
        ]

    def test_what_passes_at_a_later_try_counts_for_the_window(self, result):
        phone = next(one for one in result.species if one.name == "phone")

        assert (phone.accepted, phone.accepted_in_window) == (0, 1)

    def test_what_could_not_be_judged_has_no_rate(self, result):
        mask = next(one for one in result.species if one.name == "mask")

        assert mask.apcer is None
        assert mask.interval == (0.0, 1.0)

    def test_people_count_once_however_many_tries_they_had(self, result):
        people = result.bona_fide

        assert people.bpcer == pytest.approx((0.25 + 0.0) / 2)
        assert (people.people, people.judged_people, people.tries) == (3, 2, 6)
        assert people.non_response == pytest.approx(1 / 3)
        assert people.worst == ("a", 0.25)

    def test_a_refusal_in_bad_light_is_a_refusal(self):
        dim = Try(0.5, 1, Liveness(False, 0.3, Reason.PAD_NO_RESPONSE))
        watched = WatchedRecording(Presentation(Path("x.avi"), "a", "live"), [dim], [])

        assert summarise(["faceplugin"], [watched]).bona_fide.bpcer == 1.0

    def test_how_many_more_are_needed(self, result):
        phone = next(one for one in result.species if one.name == "phone")

        assert phone.missing_for(0.05) == 57
        assert "phone: 2 judged; without an acceptance, 57 more for APCER <= 5.0 %" in still_needed(result)

    def test_when_nobody_was_refused_the_interval_is_still_not_empty(self):
        low, high = summarise(["faceplugin"], [shown("live", "a", True)]).bona_fide.interval

        assert (low, high) == pytest.approx((0.0, 0.975))


class TestWords:
    def test_the_sentence_names_the_worst_species_and_its_interval(self, result):
        said = sentence(result)

        assert "On 4 recorded attack presentations 1 were accepted" in said
        assert "print, 2 presentations" in said
        assert "98.7 %" in said

    def test_without_attacks_nothing_may_be_said(self):
        assert "nothing may be said" in sentence(summarise(["faceplugin"], [shown("live", "a", True)]))

    def test_the_table_has_a_row_per_species(self, result):
        rows = [line for line in table(result).splitlines() if line.startswith("| ")]

        assert [row.split(" | ")[0] for row in rows] == ["| species", "| print", "| mask", "| phone"]
        assert "no rate" in rows[2]

    def test_the_page_says_what_must_not_be_said(self, result):
        text = page([result], [], "## More\n\nnotes")

        assert "Spoof-proof" in text
        assert sentence(result) in text
        assert text.endswith("notes\n")

    def test_the_page_shows_its_plot(self, result):
        assert "](rates.svg)" in page([result], [], plot="rates.svg")
        assert "![" not in page([result], [])

    def test_json_holds_the_same_figures(self, result):
        plain = json.loads(json.dumps(as_json(result)))

        assert plain["species"][0]["apcer"] == 0.5
        assert plain["species"][2]["missing_for"] == {"5.0 %": 57, "1.0 %": 297}

    def test_a_plot_is_drawn(self, result, tmp_path):
        pytest.importorskip("matplotlib", reason="plots need the extra: pip install 'facegate[eval]'")
        draw([result], tmp_path / "plot.png")

        assert (tmp_path / "plot.png").stat().st_size > 5000
