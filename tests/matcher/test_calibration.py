"""The threshold follows from the wanted rate, never loosens, and never hides how it came about."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.matcher.calibration import LEAST_FPIR, MOST_FPIR, Calibration, rate_per_comparison

TABLE: dict[str, Any] = {
    "data": "844 people, one studio",
    "people": 844,
    "pairs": 355_746,
    "comparisons": 5_653_570,
    "above": 0.352,
    "fraction": 1e-4,
    "scale": 0.022,
    "scale_beyond": 0.028,
    "spread": 1.5,
    "margin": 0.05,
}
RATES = st.floats(LEAST_FPIR, MOST_FPIR)
SIZES = st.integers(0, 1_000_000)


@pytest.fixture
def calibration() -> Calibration:
    return Calibration.from_mapping(TABLE)


TWO_PIECES = TABLE | {"pairs": 5_479_705, "knee": 0.4, "scale_far": 0.018}
TABLES = st.sampled_from([TABLE, TWO_PIECES])


@given(TABLES, RATES, SIZES)
def test_the_union_over_the_gallery_stays_within_the_wanted_rate(
    table: dict[str, Any], fpir: float, templates: int
) -> None:
    calibration = Calibration.from_mapping(table)
    rate = calibration.false_match_rate(calibration.threshold(fpir, templates))
    assert -math.expm1(max(templates, 1) * math.log1p(-rate)) <= fpir * (1 + 1e-6)


@given(TABLES, RATES, RATES, SIZES, SIZES)
def test_a_stricter_rate_or_a_bigger_gallery_never_lowers_the_threshold(
    table: dict[str, Any], one: float, other: float, few: int, many: int
) -> None:
    calibration = Calibration.from_mapping(table)
    low, high = sorted((one, other))
    small, big = sorted((few, many))
    assert calibration.threshold(low, small) >= calibration.threshold(high, small)
    assert calibration.threshold(low, big) >= calibration.threshold(low, small)


@given(RATES, SIZES)
def test_no_threshold_is_lower_than_where_the_tail_begins(fpir: float, templates: int) -> None:
    calibration = Calibration.from_mapping(TABLE)
    assert calibration.threshold(fpir, templates) >= calibration.above


def test_a_threshold_worked_out_by_hand(calibration: Calibration) -> None:
    # 1 % over 67 templates is 1.5e-4 a comparison: the beginning of the tail, 1.5 times 1e-4.
    assert calibration.threshold(0.01, 67) == pytest.approx(0.352, abs=1e-5)
    # Measured down to 10 of 355,746 pairs, then extrapolated with the steeper slope.
    measured = 10 / 355_746
    expected = 0.352 + 0.022 * math.log(1.5e-4 / measured) + 0.028 * math.log(measured / 1.005e-6)
    assert calibration.threshold(0.01, 10_000) == pytest.approx(expected, abs=1e-4)
    assert rate_per_comparison(0.5, 1) == pytest.approx(0.5)


def test_a_tail_of_two_pieces_worked_out_by_hand() -> None:
    calibration = Calibration.from_mapping(TWO_PIECES)
    knee_rate = 1.5e-4 * math.exp((0.352 - 0.4) / 0.022)
    assert calibration.threshold(knee_rate / 2, 1) == pytest.approx(0.4 + 0.018 * math.log(2))
    assert calibration.threshold(knee_rate * 2, 1) == pytest.approx(0.4 - 0.022 * math.log(2))
    measured = 10 / 5_479_705
    kink = 0.4 + 0.018 * math.log(knee_rate / measured)
    assert calibration.threshold(measured / 10, 1) == pytest.approx(kink + 0.028 * math.log(10))


def test_a_look_is_told_its_share_and_asks_for_more_than_the_whole() -> None:
    calibration = Calibration.from_mapping(TWO_PIECES)
    whole, look = (calibration.operating_point(1e-3, 300, 300, share) for share in (1.0, 0.5))
    assert look.threshold == calibration.threshold(5e-4, 300) > whole.threshold
    assert look.fpir == whole.fpir == 1e-3
    assert "FPIR 0.001 a visit, 0.5 of it for one look" in str(look.basis)


def test_an_operating_point_says_what_was_asked_for(calibration: Calibration) -> None:
    point = calibration.operating_point(1e-3, residents=300, templates=310)
    assert (point.fpir, point.residents, point.margin) == (1e-3, 300, 0.05)
    assert point.threshold == calibration.threshold(1e-3, 310)
    assert "310 templates" in str(point.basis)


@pytest.mark.parametrize(
    ("fpir", "templates", "said"),
    [
        (0.01, 10, "strictness of 2e-04 is kept"),
        (0.01, 300, "measured, taken 1.5 times as high (upper 95 %)"),
        (1e-3, 300, "extrapolated 8-fold"),
    ],
)
def test_the_basis_says_whether_it_was_measured(
    calibration: Calibration, fpir: float, templates: int, said: str
) -> None:
    basis = str(calibration.operating_point(fpir, templates, templates).basis)
    assert said in basis
    assert "5,653,570 comparisons of 844 people" in basis


@pytest.mark.parametrize("fpir", [0.0, -1e-3, 0.051, 1.0, math.nan, math.inf])
def test_an_absurd_rate_is_refused(calibration: Calibration, fpir: float) -> None:
    with pytest.raises(ConfigError, match="fpir"):
        calibration.operating_point(fpir, 10, 10)


@pytest.mark.parametrize("similarity", [-1.0, 0.0, 0.3, 0.351, 0.91, 1.0, math.nan])
def test_an_absurd_similarity_is_refused_with_the_way_out(
    calibration: Calibration, similarity: float
) -> None:
    with pytest.raises(ConfigError, match=r"0\.352 to 0\.9, or set fpir"):
        calibration.fixed(similarity, 10)


def test_a_fixed_similarity_says_the_rate_it_stands_for(calibration: Calibration) -> None:
    point = calibration.fixed(0.352, residents=100)
    assert (point.threshold, point.fpir) == (0.352, None)
    assert "FPIR 0.015" in str(point.basis)  # 1e-4 of the comparisons lie above; it may be 1.5 times as many


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": 0.0}, "scale is 0.0"),
        ({"scale": math.nan}, "scale is nan"),
        ({"scale": "wide"}, "scale is 'wide', a float"),
        ({"people": 1}, "people is 1"),
        ({"people": 3.5}, "people is 3.5, a int"),
        ({"fraction": 0.5}, "fraction is 0.5"),
        ({"margin": True}, "margin is True"),
        ({"scales": 1.0}, "scales is not known"),
        ({"knee": 0.4}, "knee and scale_far belong together"),
        ({"knee": 0.3, "scale_far": 0.02}, "knee is 0.3, it must not be below"),
        ({"knee": math.nan, "scale_far": 0.02}, "knee is nan"),
    ],
)
def test_a_damaged_table_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Calibration.from_mapping(TABLE | change)


def test_an_empty_table_names_all_that_is_missing_and_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"above is missing.*spread is missing.*evaluate calibrate"):
        Calibration.from_mapping({})
