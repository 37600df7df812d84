"""Members, their weights, who is pruned, and what happens to the others."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from optix_core.errors import ConfigurationError
from optix_evolve.population import Lineage, Population
from optix_evolve.score_weights import mean_score, weights_from_scores

SCORES = st.floats(-1e6, 1e6, allow_subnormal=False)
POSITIVE = st.floats(1e-3, 1e6)


def score_windows(scores: st.SearchStrategy[float]) -> st.SearchStrategy[list[list[float]]]:
    return st.lists(st.lists(scores, min_size=1, max_size=5), min_size=1, max_size=6)


def population(*windows: list[float], weights: list[float] | None = None) -> Population:
    members = Population()
    for i, window in enumerate(windows):
        members.add(object(), weight=None if weights is None else weights[i])
        for score in window:
            members[i].record(score)
    return members


@given(windows=score_windows(POSITIVE))
def test_weights_are_proportional_where_all_means_are_positive(windows: list[list[float]]) -> None:
    weights = weights_from_scores(windows)
    means = [mean_score(window) for window in windows]
    for weight, mean in zip(weights, means, strict=True):
        assert weight == pytest.approx(mean * len(means) / math.fsum(means))


@given(windows=score_windows(st.integers(-1000, 1000)), shift=st.integers(-1000, 1000))
def test_a_constant_changes_no_weight_where_some_scores_are_negative(
    windows: list[list[float]], shift: float
) -> None:
    moved = [[score + shift for score in window] for window in windows]
    assume(min(map(sum, windows)) <= 0 and min(map(sum, moved)) <= 0)
    assert weights_from_scores(moved) == pytest.approx(weights_from_scores(windows), rel=1e-9)


@given(windows=score_windows(SCORES), unit=st.sampled_from([1e-290, 1e-3, 7.0, 1e300]))
def test_weights_do_not_depend_on_the_unit_of_scores(
    windows: list[list[float]], unit: float
) -> None:
    integers = [[float(round(score)) for score in window] for window in windows]
    scaled = [[unit * score for score in window] for window in integers]
    assert weights_from_scores(scaled) == pytest.approx(weights_from_scores(integers), rel=1e-6)


@given(windows=score_windows(st.floats(allow_nan=False, allow_infinity=False)))
def test_weights_are_finite_positive_and_have_mean_one(windows: list[list[float]]) -> None:
    weights = weights_from_scores(windows)
    assert all(math.isfinite(weight) and weight >= 0 for weight in weights)
    assert math.fsum(weights) == pytest.approx(len(windows))


@given(means=st.lists(st.integers(-1000, 1000), min_size=2, max_size=6))
def test_a_better_member_weighs_no_less(means: list[int]) -> None:
    weights = weights_from_scores([[mean] for mean in means])
    ranked = [weight for _, weight in sorted(zip(means, weights, strict=True))]
    assert ranked == sorted(ranked)


def test_scattered_scores_are_drawn_towards_the_others() -> None:
    sure = weights_from_scores([[-1.0, -1.0, -1.0], [-3.0, -3.0, -3.0]])
    unsure = weights_from_scores([[-11.0, 9.0, -1.0], [-3.0, -3.0, -3.0]])
    assert 1 < unsure[0] < sure[0]


def test_equal_and_zero_means_weigh_the_same() -> None:
    assert weights_from_scores([]) == []
    assert weights_from_scores([[0.0], [0.0]]) == [1.0, 1.0]
    assert weights_from_scores([[-2.0], [-2.0, -2.0]]) == [1.0, 1.0]


@given(weights=st.lists(POSITIVE, max_size=5))
def test_a_newcomer_counts_as_much_as_one_of_the_others(weights: list[float]) -> None:
    members = Population()
    for weight in weights:
        members.add(object(), weight=weight)
    newcomer = members.add(object())
    assert newcomer.weight == pytest.approx(mean_score(weights) if weights else 1.0)


def test_a_variant_may_wait_with_weight_zero_and_does_not_lower_the_scale() -> None:
    members = population([2.0], weights=[5.0])
    members.add(object(), weight=0.0)
    assert members.add(object()).weight == 5.0
    members[1].record(2.0)
    members.rebalance(keep=[1])
    assert members.weights == (5.0, 0.0, 5.0)
    members.rebalance()
    assert members.weights == (5.0, 5.0, 5.0)


def test_rebalancing_keeps_the_scale_the_boosts_and_the_unscored() -> None:
    members = population([0.9], [0.3], [], weights=[2.0, 2.0, 2.0])
    members[1].boost(2.0)
    members.rebalance()
    assert members.weights == pytest.approx((3.0, 2.0, 2.0))
    members.rebalance()
    assert members.weights == pytest.approx((3.0, 2.0, 2.0))
    assert members[1].boosts == {"manual": 2.0}


def test_unnamed_boosts_multiply_and_named_ones_replace() -> None:
    member = population([])[0]
    member.boost(2.0)
    member.boost(3.0)
    member.boost(4.0, "regime")
    member.boost(5.0, "regime")
    assert member.weight == 30.0
    member.boost(1.0, "regime")
    assert member.weight == 6.0
    for factor in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="positive and finite"):
            member.boost(factor)


def test_scores_roll_and_those_that_are_not_finite_are_left_out() -> None:
    members = Population(score_window=3)
    member = members.add(object())
    assert member.mean_score is None
    for score in (1.0, math.nan, 2.0, math.inf, 3.0, 4.0):
        member.record(score)
    assert member.recent_scores == (2.0, 3.0, 4.0)
    assert member.mean_score == 3.0


def test_the_lowest_weight_goes_and_of_equals_the_newest() -> None:
    members = population([], [], [], [], weights=[2.0, 1.0, 3.0, 1.0])
    assert members.weakest(1) == [3]
    assert members.weakest(2) == [3, 1]


def test_the_best_scored_the_learner_and_the_last_never_go() -> None:
    members = population([9.0], [1.0], [], weights=[0.1, 0.2, 0.3])
    assert members.weakest(3) == [1, 2]
    assert members.weakest(3, keep=[1]) == [2]
    assert population([]).weakest(1) == []
    assert population([], []).weakest(5) == [1]
    with pytest.raises(ConfigurationError, match="-1"):
        members.weakest(-1)


def test_the_oldest_of_equally_scored_members_is_the_best() -> None:
    assert population([1.0], [2.0], [2.0]).best_scored() == 1
    assert population([], []).best_scored() is None


def test_an_agent_is_a_member_once_and_weights_are_checked() -> None:
    members, agent = Population(), object()
    members.add(agent)
    assert members.position_of(agent) == 0
    assert members.position_of(object()) is None
    with pytest.raises(ConfigurationError, match="member 0 already"):
        members.add(agent)
    for weight in (-1.0, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="weight must be"):
            members.add(object(), weight=weight)
    with pytest.raises(ConfigurationError, match="score_window"):
        Population(score_window=0)
    with pytest.raises(ConfigurationError, match=r"no members at \[5\]"):
        members.remove([5])
    assert members[0:1] == [members[0]]


def test_lineage_keeps_a_copy_of_what_changed() -> None:
    changed = {"learning_rate": (1e-3, 2e-3)}
    lineage = Lineage(parent_id=0, perturbation=changed)
    changed.clear()
    assert lineage.perturbation == {"learning_rate": (1e-3, 2e-3)}


class PopulationModel(RuleBasedStateMachine):
    """Whatever happens, members keep what is theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.members = Population(score_window=3)
        self.known: dict[int, tuple[object, list[float]]] = {}

    @rule(weight=st.none() | st.floats(0, 10))
    def add(self, weight: float | None) -> None:
        member = self.members.add(object(), weight=weight)
        assert member.member_id not in self.known
        self.known[member.member_id] = (member.agent, [])

    @precondition(lambda self: len(self.members) > 0)
    @rule(data=st.data(), score=SCORES)
    def record(self, data: st.DataObject, score: float) -> None:
        member = self.members[data.draw(st.integers(0, len(self.members) - 1))]
        member.record(score)
        self.known[member.member_id][1].append(score)

    @rule()
    def rebalance(self) -> None:
        self.members.rebalance()

    @precondition(lambda self: len(self.members) > 0)
    @rule(data=st.data(), count=st.integers(0, 3))
    def prune(self, data: st.DataObject, count: int) -> None:
        learner = data.draw(st.integers(0, len(self.members) - 1))
        best = self.members.best_scored()
        protected = {self.members[i].member_id for i in (learner, best) if i is not None}
        before = [member.member_id for member in self.members]
        doomed = self.members.weakest(count, keep=[learner])
        moved = self.members.remove(doomed)
        for old, new in moved.items():
            assert self.members[new].member_id == before[old]
        assert protected <= {member.member_id for member in self.members}
        assert len(self.members) == len(before) - len(doomed) >= 1

    @invariant()
    def members_keep_their_agent_and_scores(self) -> None:
        for position, member in enumerate(self.members):
            agent, scores = self.known[member.member_id]
            assert member.agent is agent
            assert member.recent_scores == tuple(scores[-3:])
            assert self.members.position_of(agent) == position

    @invariant()
    def weights_are_usable(self) -> None:
        assert all(math.isfinite(weight) and weight >= 0 for weight in self.members.weights)


TestPopulationModel = PopulationModel.TestCase
