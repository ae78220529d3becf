"""What decisions teach: little by ten, much by two hundred, and never another order of the pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.identity.suggestions.learning import Learned, learn

PROBABILITIES = st.floats(0.0, 1.0)
DECISIONS = st.lists(st.tuples(PROBABILITIES, st.booleans()), max_size=60)


def test_without_decisions_nothing_is_learned() -> None:
    assert learn([], []) == Learned()
    assert Learned().refine([0.0, 0.25, 1.0]).tolist() == [0.0, 0.25, 1.0]


@given(decisions=DECISIONS, pairs=st.lists(PROBABILITIES, min_size=2, max_size=20))
def test_the_order_of_pairs_stays_and_probabilities_are_some(
    decisions: list[tuple[float, bool]], pairs: list[float]
) -> None:
    learned = learn([score for score, _ in decisions], [answer for _, answer in decisions])
    refined = learned.refine(sorted(pairs))
    assert ((refined >= 0) & (refined <= 1)).all()
    assert (np.diff(refined) >= 0).all()
    assert learned.decisions == len(decisions)


@given(decisions=DECISIONS, more=st.floats(0.01, 0.99))
def test_one_more_acceptance_never_lowers_the_probability_of_that_pair(
    decisions: list[tuple[float, bool]], more: float
) -> None:
    scores, answers = [score for score, _ in decisions], [answer for _, answer in decisions]
    before = learn(scores, answers).refine([more])[0]
    after = learn([*scores, more], [*answers, True]).refine([more])[0]
    assert after >= before - 1e-6


@given(score=st.floats(0.02, 0.98), decisions=DECISIONS)
def test_the_way_back_leads_back(score: float, decisions: list[tuple[float, bool]]) -> None:
    learned = learn([each for each, _ in decisions], [answer for _, answer in decisions])
    assert learned.model_score(float(learned.refine([score])[0])) == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize(("number", "at_least", "at_most"), [(10, 0.5, 0.92), (200, 0.0, 0.25)])
def test_ten_rejections_move_little_and_two_hundred_much(number: int, at_least: float, at_most: float) -> None:
    """A workspace that rejects nine in ten pairs of 0.85."""
    answers = [place % 10 == 0 for place in range(number)]
    refined = learn([0.85] * number, answers).refine([0.85])[0]
    assert at_least < refined < at_most


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, -1.5), (0.5, 0.0), (1.6, 1.0)])
def test_a_workspace_that_differs_is_learned(slope: float, intercept: float) -> None:
    """Its truth lies elsewhere than the model's: after 300 decisions the Brier score on its other pairs is lower."""
    draw = np.random.default_rng(11)
    truth = Learned(slope, intercept, 1)
    scores = draw.beta(2.0, 1.2, size=4300)
    answers = draw.random(4300) < truth.refine(scores)
    learned = learn(scores[:300], answers[:300])
    rest, said = scores[300:], answers[300:]
    before, after = ((rest - said) ** 2).mean(), ((learned.refine(rest) - said) ** 2).mean()
    best = ((truth.refine(rest) - said) ** 2).mean()
    assert after - best < (before - best) / 4


def test_a_workspace_that_is_as_the_model_says_is_hardly_changed() -> None:
    draw = np.random.default_rng(12)
    scores = draw.beta(2.0, 1.2, size=500)
    learned = learn(scores, draw.random(500) < scores)
    assert learned.slope == pytest.approx(1.0, abs=0.25)
    assert learned.intercept == pytest.approx(0.0, abs=0.25)
