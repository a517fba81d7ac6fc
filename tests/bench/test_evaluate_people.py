"""Rates of people agree with slow references, and the galleries with the door's own matcher."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bench.evaluate.calibrate import People, fit
from edge.bench.evaluate.galleries import WANTED, held_out, sizes_for, try_galleries
from edge.bench.evaluate.images import Embedded
from edge.bench.evaluate.rates import Scores, curve, lines, wilson
from edge.bench.evaluate.visits import try_visits
from edge.domain import FIRST_LOOK_SHARE
from edge.enrol.shots import matched_row
from edge.errors import EvaluationRefused
from edge.matcher.calibration import Calibration
from edge.matcher.gallery import LiveGallery
from edge.matcher.matcher import Matcher

CALIBRATION = Calibration("made up", 100, 4950, 9900, 0.35, 3e-4, 0.03, 0.04, 1.2, 0.02)


def crowd(photos: list[int], seed: int = 0, noise: float = 0.5) -> People:
    """People of so many photos each, in 32 dimensions; a photo is the person and noise."""
    rng = np.random.default_rng(seed)

    def shot(own: np.ndarray) -> Embedded:
        rows = own + noise * rng.standard_normal((2, 32))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Embedded(np.asarray(rows[0], np.float32), np.asarray(rows[1], np.float32))

    owns = rng.standard_normal((len(photos), 32))
    named = {f"p{n:04d}": [shot(owns[n]) for _ in range(count)] for n, count in enumerate(photos)}
    return People.gather(named, least=2)


def slow_rates(people: People, similarity: float) -> tuple[float, float]:
    """Return (FMR, FNMR) pair by pair, person by person."""
    references, number = people.references(), len(people.names)
    own = [np.flatnonzero(people.owner == n) for n in range(number)]
    false, missed = [], []
    for a in range(number):
        for b in range(number):
            pairs = [people.probes[i] @ references[j] for i in own[a] for j in own[b] if i != j]
            if a != b:
                false.append(np.mean([score >= similarity for score in pairs]))
            elif pairs:
                missed.append(np.mean([score < similarity for score in pairs]))
    return float(np.mean(false)), float(np.mean(missed))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=8), st.floats(-0.2, 0.9), st.integers(0, 99))
def test_every_person_counts_once_however_many_photos_he_has(
    photos: list[int], similarity: float, seed: int
) -> None:
    people = crowd([2, *photos], seed)
    scores = Scores.of(people)
    fmr, fnmr = slow_rates(people, similarity)
    shares = scores.shares(similarity)
    np.fill_diagonal(shares, 0)
    number = len(people.names)
    assert shares.sum() / (number * (number - 1)) == pytest.approx(fmr)
    assert scores.genuine(similarity).mean() == pytest.approx(fnmr)


def test_the_curve_passes_through_the_slow_rates() -> None:
    people = crowd([1, 2, 3, 4] * 5)
    drawn = curve(Scores.of(people))
    for step in (600, 800, 1000):
        wanted = slow_rates(people, float(drawn.similarity[step]))
        assert (drawn.fmr[step], drawn.fnmr[step]) == pytest.approx(wanted)
    assert (np.diff(drawn.fmr) <= 1e-12).all()
    assert (np.diff(drawn.fnmr) >= -1e-12).all()


def test_a_rate_lies_within_its_interval_and_is_no_smaller_than_the_people_show() -> None:
    scores = Scores.of(crowd([2] * 60, noise=1.0))
    found = lines(scores, curve(scores))
    assert len(found) == 2  # 1,770 pairs of people: 1e-2 and 1e-3, but not 1e-4
    for one, wanted in zip(found, (1e-2, 1e-3), strict=True):
        assert one.fmr.value <= wanted
        assert one.fmr.low <= one.fmr.value <= one.fmr.high
        assert one.fnmr is not None
        assert one.fnmr.low <= one.fnmr.value <= one.fnmr.high


def test_sizes_are_those_that_leave_a_photo_to_try() -> None:
    people = crowd([1] * 10 + [2] * 40 + [4] * 30)
    assert sizes_for(people, 1) == [50, 70]
    assert sizes_for(people, 3) == [30]
    assert sizes_for(people, 4) == []


def test_where_everybody_has_several_photos_half_of_them_stay_strangers() -> None:
    people = crowd([2] * 20, noise=0.1)
    assert sizes_for(people, 1) == [10]
    assert {trial.strangers for trial in try_galleries(people, CALIBRATION, 10, 1, draws=2)} == {10}
    assert sizes_for(crowd([2] * 3), 1) == []


def test_people_of_one_photo_each_have_no_rate_of_misses() -> None:
    scores = Scores.of(crowd([1] * 20))
    drawn = curve(scores)
    assert np.isnan(drawn.fnmr).all()
    assert [line.fnmr for line in lines(scores, drawn)] == [None]


def test_nobody_missed_among_a_few_is_no_promise_of_none() -> None:
    scores = Scores.of(crowd([2] * 20, noise=0.05))
    (line,) = lines(scores, curve(scores))
    assert line.fnmr is not None
    assert line.fnmr.value == line.fnmr.low == 0
    assert 0.1 < line.fnmr.high < 0.3
    for visit in try_visits(crowd([2] * 30 + [6] * 10, noise=0.05), CALIBRATION, 300, 1, (1e-6,), draws=2):
        assert (visit.fpir.value, visit.fpir.low) == (0, 0)
        assert visit.fpir.high > 0.2


def test_a_clear_crowd_is_let_in_and_strangers_are_not() -> None:
    trials = try_galleries(crowd([3] * 40, noise=0.1), CALIBRATION, 20, 1, draws=5)
    assert [trial.wanted for trial in trials] == [*WANTED, *WANTED]
    for trial in trials:
        assert (trial.residents, trial.strangers) == (20, 20)
        assert trial.fnir.value == trial.wrong == 0
        assert trial.fpir.high > 0.1  # twenty strangers prove little, and the interval says so
        assert trial.threshold == CALIBRATION.threshold(trial.wanted * trial.share, 20)
    assert [trial.share for trial in trials] == [1.0] * 4 + [FIRST_LOOK_SHARE] * 4


def test_a_visit_lets_a_stranger_in_when_any_of_six_looks_does() -> None:
    clear = try_visits(crowd([2] * 30 + [6] * 10, noise=0.1), CALIBRATION, 300, 1, WANTED, draws=3)
    assert [(one.residents, one.visitors) for one in clear] == [(30, 10)] * 4
    found = [one.fpir.value for one in clear]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.5
    people = crowd([2] * 30 + [6] * 30, noise=0.1)
    visitor = people.owner >= 30
    alike = people.probes.copy()
    alike[visitor] = np.repeat(people.probes[~visitor][::2], 6, axis=0)  # each looks like one resident
    twins = People(alike, people.mirrored, people.owner, people.names)
    assert try_visits(twins, CALIBRATION, 300, 1, WANTED, draws=3)[0].fpir.value == 1
    assert try_visits(crowd([1] * 40), CALIBRATION, 300, 3, WANTED) == []


def test_a_stranger_who_is_enrolled_under_another_name_is_a_false_accept() -> None:
    people = crowd([2] * 30, noise=0.1)
    twice = People(
        np.concatenate([people.probes, people.probes[::2]]),
        np.concatenate([people.mirrored, people.mirrored[::2]]),
        np.concatenate([people.owner, people.owner[::2] + 30]),
        (*people.names, *(f"again {name}" for name in people.names)),
    )
    trial = try_galleries(twice, CALIBRATION, 30, 1, draws=3)[0]
    assert trial.fpir.value == 1
    assert trial.fnir.value == 0


def test_the_galleries_decide_as_the_doors_own_matcher() -> None:
    """Everybody's photos are alike, so that it does not matter which of them are drawn for enrolment."""
    people = crowd([1] * 60, noise=0.9)
    residents = [f"p{n:04d}" for n in range(30)]
    shots = [Embedded(people.probes[n], people.mirrored[n]) for n in range(60)]
    named = {f"p{n:04d}": [shot] * (4 if n < 30 else 1) for n, shot in enumerate(shots)}
    trials = try_galleries(People.gather(named, least=2), CALIBRATION, 30, 3, draws=2)
    gallery = LiveGallery("made-up", 32)
    for n, resident in enumerate(residents):
        gallery.replace(resident, [matched_row([people.references()[n].astype(np.float32)] * 3)], "made-up")
    found = Matcher(
        gallery, lambda count, rows, share: CALIBRATION.operating_point(share, count, rows)
    ).identify_batch(people.probes.astype(np.float32))
    for trial in trials:
        let_in = [m.similarity >= trial.threshold and m.margin >= CALIBRATION.margin for m in found]
        right = [
            ok and m.resident_id == f"p{n:04d}" for n, (ok, m) in enumerate(zip(let_in, found, strict=True))
        ]
        assert trial.fpir.value == pytest.approx(np.mean(let_in[30:]))
        assert trial.fnir.value == pytest.approx(1 - np.mean(right[:30]))
    assert 0 < trials[0].fpir.value < 1, "a crowd of which nobody or everybody is let in would prove nothing"


@given(st.integers(0, 50), st.integers(1, 500))
def test_the_interval_of_a_counted_rate_holds_it_and_narrows(errors: int, more: int) -> None:
    trials = 50
    low, high = wilson(errors / trials, trials)
    assert 0 <= low <= errors / trials + 1e-12
    assert errors / trials - 1e-12 <= high <= 1
    narrow = wilson(errors / trials, trials + more)
    assert narrow[1] - narrow[0] <= high - low


def test_the_halves_share_nobody_and_both_have_residents() -> None:
    people = crowd([1] * 20 + [3] * 20)
    fitted: list[set[str]] = []

    def fake(half: People) -> tuple[list[float], Calibration]:
        fitted.append(set(half.names))
        return [], CALIBRATION

    for (half, _), others in zip(held_out(people, fake), fitted, strict=True):
        assert not others & set(half.names)
        assert sizes_for(half, 1) == [10]


def test_the_fit_recovers_a_tail_that_is_known() -> None:
    """Uniform directions in D dimensions: the tail of their cosines is known exactly."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((700, 2, 32))
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    shots = {f"p{n:03d}": [Embedded(*np.repeat(own[:1], 2, axis=0))] for n, own in enumerate(rows)}
    _, calibration = fit(People.gather(shots), with_centre=False)
    directions = np.random.default_rng(5).standard_normal((400_000, 32))
    ideal = np.sort(directions[:, 0] / np.linalg.norm(directions, axis=1))
    above = float(np.quantile(ideal, 1 - 3e-4))
    assert calibration.above == pytest.approx(above, abs=0.03)
    beyond = ideal[ideal > above] - above
    assert calibration.scale == pytest.approx(float(beyond.mean()), rel=0.4)
    assert calibration.scale_beyond >= calibration.scale


@pytest.mark.parametrize("count", [1, 99])
def test_a_handful_of_people_is_refused(count: int) -> None:
    row = np.eye(32, dtype=np.float32)[0]
    with pytest.raises(EvaluationRefused, match=f"^{count} people have a usable photo, 300 are needed"):
        People.gather({f"p{n}": [Embedded(row, row)] for n in range(count)})
