"""Checks of maps: known answers, an untrained control, and that a network is left as it was."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from rounding import in_double
from scipy.stats import spearmanr
from tiny_network import TinyNetwork

from stgcnlib.errors import LayoutError, SequenceError, SkeletonFormatError
from stgcnlib.explain import (
    MapEvaluation,
    RelevanceMap,
    contrastivity,
    evaluate_maps,
    grad_cam_set,
    limb_share,
    limb_shares,
    map_smoothness,
    one_armed,
    randomisation,
    stability,
)  # fmt: skip
from stgcnlib.explain.baseline import moved
from stgcnlib.explain.likeness import rank_correlation, similarity
from stgcnlib.sequences import SequenceSet
from stgcnlib.skeleton import layout
from stgcnlib.verdicts import judge_maps
from stgcnlib.verdicts.maps import _arms

KINECT = layout("kinect-v1")


@pytest.fixture(scope="module")
def data() -> SequenceSet:
    """Nine recordings of three classes by three people; class 0 waves the right arm, class 1 the left, class 2 both."""
    rng = np.random.default_rng(5)
    coords, labels = [], np.arange(9) % 3
    for label in labels:
        T = int(rng.integers(14, 20))
        points = np.broadcast_to(rng.normal(size=(1, 20, 3)), (T, 20, 3)).copy()
        points += 0.005 * rng.normal(size=points.shape)
        wave = np.sin(np.arange(T))[:, None]
        if label in (0, 2):
            points[:, list(KINECT.limbs["right arm"]), 1] += wave
        if label in (1, 2):
            points[:, list(KINECT.limbs["left arm"]), 1] += wave
        coords.append(points.astype(np.float32))
    return SequenceSet(
        coords, labels=labels, layout="kinect-v1", class_names=["right", "left", "both"],
        groups={"subject": np.arange(9) // 3},
    )  # fmt: skip


def on_limb(data: SequenceSet, share: float) -> list[dict[str, RelevanceMap]]:
    """Maps with this share of their mass on the right arm at layer 2, and an even look at layer 1."""
    arm = list(KINECT.limbs["right arm"])
    found = []
    for i in range(len(data)):
        values = np.full(data.people(i).shape[:3], (1 - share) / 16, np.float32)
        values[..., arm] = share / 4
        even = np.ones_like(values)
        label = int(data.labels[i])
        found.append({
            "a": RelevanceMap(even, even, "a", 1, "layer 1", label),
            "b": RelevanceMap(values, values, "b", 2, "layer 2", label),
        })  # fmt: skip
    return found


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 5, (2, 6, 7)).astype(np.float32)
    b = a + rng.normal(size=a.shape)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert np.isnan(rank_correlation(a, np.ones_like(a)))
    assert np.isnan(rank_correlation(np.ones_like(a), a))


def test_similarity_is_one_of_a_map_with_itself_and_knows_no_scale():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 1, 12, 20)).astype(np.float32)
    assert similarity(a, 3 * a) == pytest.approx(1, abs=1e-5)
    assert similarity(a, b) == pytest.approx(similarity(b, a))
    assert similarity(a, b) < 0.4


def test_limb_share_by_hand(data):
    table = limb_share(on_limb(data, 0.7), KINECT, "right arm")
    np.testing.assert_allclose(table[table["layer"] == "b"]["share"], 0.7, rtol=1e-5)
    np.testing.assert_allclose(table[table["layer"] == "a"]["share"], 0.2, rtol=1e-5)
    assert set(table["even"]) == {0.2}
    with pytest.raises(LayoutError, match="no limb 'right wing'"):
        limb_share(on_limb(data, 0.7), KINECT, "right wing")


def test_one_armed_actions_are_found_from_motion(data):
    assert one_armed(data) == {0: "right arm", 1: "left arm"}
    table = limb_shares(on_limb(data, 0.7), data, one_armed(data))
    share = table.set_index(["class", "title"])["share"]
    assert share["right", "layer 2"] == pytest.approx(0.7, rel=1e-5)
    assert share["left", "layer 2"] == pytest.approx(0.3 / 4, rel=1e-5)
    assert share["all", "layer 2"] == pytest.approx((0.7 + 0.3 / 4) / 2, rel=1e-5)
    assert share["all", "layer 1"] == pytest.approx(0.2, rel=1e-5)


def test_randomisation_starts_at_itself_ends_with_all_lost_and_leaves_the_network(data):
    network = in_double(TinyNetwork()).eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    some = data.select([0, 1, 2, 3])
    maps = grad_cam_set(network, some, target="true", signed=True)
    table = randomisation(network, some, maps, seed=3)
    assert list(table["randomised"].unique()) == ["nothing", "head", "layer 3", "layer 2", "layer 1", "stem"]
    start = table[table["step"] == 0]
    np.testing.assert_allclose(start[["correlation", "signed", "similarity"]], 1, atol=1e-5)
    np.testing.assert_allclose(start["spread"], 0, atol=1e-12)
    assert (table[table["step"] == table["step"].max()]["correlation"] < 0.9).all()
    assert (table["pairs"] + table["empty"] == 3 * 4).all()
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    pd.testing.assert_frame_equal(table, randomisation(network, some, maps, seed=3))
    with pytest.raises(SequenceError, match="repeats=0"):
        randomisation(network, some, maps, repeats=0)


def test_randomisation_averages_draws_of_the_weights_and_says_how_they_spread(data):
    network, some = in_double(TinyNetwork()).eval(), data.select([0, 1, 2, 3])
    maps = grad_cam_set(network, some, target="true", signed=True)
    alone = [randomisation(network, some, maps, seed=seed, repeats=1) for seed in (5, 6, 7)]
    table = randomisation(network, some, maps, seed=5, repeats=3)
    values = np.stack([each["correlation"] for each in alone])
    np.testing.assert_allclose(table["correlation"], values.mean(axis=0))
    np.testing.assert_allclose(table["spread"], values.std(axis=0, ddof=1), atol=1e-12)
    assert alone[0]["spread"].isna().all()
    assert (table["low"] <= table["correlation"]).all()


class Flipping(torch.nn.Linear):
    """Drawn anew it is its own negative for odd seeds, and the same for even ones."""

    def reset_parameters(self) -> None:
        with torch.no_grad():
            self.weight.mul_(-1 if torch.initial_seed() % 2 else 1)


def flipping() -> TinyNetwork:
    """A network whose maps change their sign and nothing else when its head is drawn anew."""
    network = TinyNetwork()
    head = Flipping(8, 3)
    head.load_state_dict(network.head.state_dict())
    network.head = head
    return network


def test_maps_that_only_change_their_sign_are_not_lost(data):
    """Signed correlations of +1 and -1 cancel; the maps show the same places all the same."""
    network, some = in_double(flipping()).eval(), data.select([0, 1, 2, 3])
    maps = grad_cam_set(network, some, target="true", signed=True)
    table = randomisation(network, some, maps, seed=0, repeats=2)
    head = table[table["randomised"] == "head"]
    np.testing.assert_allclose(head["signed"], 0, atol=1e-6)
    np.testing.assert_allclose(head["correlation"], 1, atol=1e-6)
    # Without negative relevance the flipped maps are nearly or wholly empty: these are left out, not counted as 0.
    plain = randomisation(network, some, grad_cam_set(network, some, target="true"), seed=0, repeats=2)
    assert (plain[plain["step"] > 0]["empty"].sum()) > 0
    compared = plain[(plain["randomised"] == "head") & (plain["pairs"] == 4)]
    np.testing.assert_allclose(compared["correlation"], 1, atol=1e-6)


def test_chance_of_randomisation_is_that_of_maps_at_other_places(data):
    network, some = in_double(TinyNetwork()).eval(), data.select([0, 1, 2, 3])
    maps = grad_cam_set(network, some, target="true", signed=True)
    chance = randomisation(network, some, maps, seed=0, repeats=1).drop_duplicates("layer").set_index("layer")["chance"]
    rng = np.random.default_rng(9)
    for name in maps[0]:
        drawn = [abs(rank_correlation(m[name].values, moved(m[name].values, rng))) for m in maps for _ in range(50)]
        assert chance[name] == pytest.approx(np.mean(drawn), abs=5 * np.std(drawn) / 2)
        assert 0 < chance[name] < 0.9


def test_the_whole_network_is_lost_at_the_end():
    from stgcnlib.explain.randomisation import _cascade, _lose

    network = TinyNetwork()
    before = {k: v.clone() for k, v in network.named_parameters()}
    steps = _cascade(network, {name: name for name in network.layer_names})
    assert sorted(p for _, members in steps for p in members) == sorted(before)
    torch.manual_seed(9)
    for _, members in steps:
        _lose(network, members)
    changed = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    # Fresh normalisation layers have weight 1 and bias 0, as untrained ones have.
    assert changed | {n for n in before if "norm" in n or "bn" in n} == set(before)


def test_stability_of_no_jitter_is_one_and_falls_with_noise(data):
    network, some = in_double(TinyNetwork()), data.select([0, 1, 2, 4])
    maps = grad_cam_set(network, some, target="true", signed=True)
    none, much = (stability(network, some, maps, jitter=j, repeats=2) for j in (0.0, 1.0))
    np.testing.assert_allclose(none["correlation"], 1, atol=1e-6)
    assert (much["correlation"] < none["correlation"]).all()


def test_contrastivity_compares_the_two_best_classes(data):
    network, some = in_double(TinyNetwork(classes=2)), data.select([0, 1, 2])
    with torch.no_grad():  # logits that are each other's negative: maps too
        network.head.weight[1] = -network.head.weight[0]
        network.head.bias.zero_()
    np.testing.assert_allclose(contrastivity(network, some)["correlation"], -1, atol=1e-5)


def test_smoothness_of_maps_that_tell_the_class_is_zero(data):
    maps = on_limb(data, 0.5)
    for i, each in enumerate(maps):
        told = np.zeros_like(each["b"].values)
        told[..., int(data.labels[i])] = 1
        each["b"] = RelevanceMap(told, told, "b", 2, "layer 2", 0)
    # As noise: the same everywhere would make all distances zero.
    rng = np.random.default_rng(2)
    for each in maps:
        noise = rng.random(each["a"].values.shape).astype(np.float32)
        each["a"] = RelevanceMap(noise, noise, "a", 1, "layer 1", 0)
    far = 1 - (data.labels[:, None] == data.labels[None]).astype(np.float32)
    far += 0.01 * rng.random((9, 9)).astype(np.float32)
    far = (far + far.T) / 2
    np.fill_diagonal(far, 0)
    table = map_smoothness(
        maps, data.labels, k=2, groups=data.groups["subject"], feature_distances={"a": far, "b": far}
    ).set_index("title")
    assert table.loc["layer 2", "maps"] == pytest.approx(0, abs=1e-6)
    assert table.loc["layer 1", "maps"] > 0.2
    np.testing.assert_allclose(table["features"], 0, atol=1e-6)


def test_an_evaluation_comes_back_from_disk_and_speaks(data, tmp_path):
    network = TinyNetwork().eval()
    maps = grad_cam_set(network, data)
    made = evaluate_maps(
        network, data, maps, reference=data, groups=data.groups["subject"], units=["joints"], sequences=4, steps=3,
        draws=2, k=3,
    )  # fmt: skip
    made.save(tmp_path / "kept")
    back = MapEvaluation.load(tmp_path / "kept")
    for name in made.__dataclass_fields__:
        pd.testing.assert_frame_equal(getattr(made, name), getattr(back, name), check_dtype=False)
    sentences = judge_maps(back)
    assert len(sentences) == 9
    assert all(f.text.endswith(".") for f in sentences)
    (tmp_path / "kept" / "random.parquet").write_bytes(b"no")
    with pytest.raises(SkeletonFormatError, match=r"random\.parquet: not a readable table"):
        MapEvaluation.load(tmp_path / "kept")


def test_no_relevance_on_the_acting_arm_is_said(data):
    maps = on_limb(data, 0.0)  # nothing on the right arm
    arms = limb_shares(maps, data, {0: "right arm"})
    said = _arms(arms)
    assert said.holds is False
    assert "0% (0% to 0%) of the relevance of layer 2" in said.text
    assert _arms(arms.iloc[:0]).holds is None


class Normed(torch.nn.Module):
    """One layer, with its weight as a norm and a direction, which its own reset does not draw anew."""

    layer_names = ("body",)

    def __init__(self, *, normed: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Conv2d(3, 6, 1, bias=False)
        if normed:
            self.body = torch.nn.utils.weight_norm(self.body)
        self.relu, self.head = torch.nn.ReLU(), torch.nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        N, C, T, V, M = x.shape
        y = self.relu(self.body(x.permute(0, 4, 1, 2, 3).reshape(N * M, C, T, V)))
        scores: torch.Tensor = self.head(y.mean((2, 3)).view(N, M, -1).sum(1))
        return scores


@pytest.mark.filterwarnings("ignore:.*weight_norm.*")
def test_norms_and_directions_are_lost_too(data):
    from stgcnlib.explain.randomisation import _lose

    network = Normed()
    before = {name: value.clone() for name, value in network.named_parameters()}
    torch.manual_seed(4)
    _lose(network, list(before))
    assert not any(torch.equal(value, before[name]) for name, value in network.named_parameters())
    maps = grad_cam_set(Normed(), data.select([0, 1]), signed=True)
    table = randomisation(Normed(), data.select([0, 1]), maps, repeats=1)
    assert table["randomised"].tolist() == ["nothing", "head", "layer 1"]


def test_people_who_are_absent_do_not_make_maps_alike(data):
    """A network in which absent people change nothing: all checks are as if they were not in the recording."""
    network, some = Normed(normed=False), data.select([0, 1, 2, 3])
    couples = some.with_coords([np.stack([each, np.zeros_like(each)]) for each in some.coords])
    one, two = (grad_cam_set(network, each, signed=True) for each in (some, couples))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b["body"].values[:1], a["body"].values, atol=1e-6)
    a, b = contrastivity(network, some), contrastivity(network, couples)
    np.testing.assert_allclose(b["correlation"], a["correlation"], atol=1e-6)
    a, b = randomisation(network, some, one, repeats=1), randomisation(network, couples, two, repeats=1)
    for name in ("correlation", "signed", "similarity", "chance"):
        np.testing.assert_allclose(b[name], a[name], atol=1e-5)
    # Noise changes a map no less with zeros beside it; it is drawn for both people, so that numbers differ.
    a, b = (stability(network, d, m, jitter=1.0, repeats=1) for d, m in ((some, one), (couples, two)))
    assert b["correlation"].iloc[0] == pytest.approx(a["correlation"].iloc[0], abs=0.2)


def test_contrastivity_needs_two_classes(data):
    some = data.select([0, 1])
    with pytest.raises(SequenceError, match="the highest scores; this network has only one output"):
        contrastivity(TinyNetwork(classes=1), some)
    values = SequenceSet(some.coords, layout="kinect-v1", targets=[0.5, 1.0])
    with pytest.raises(SequenceError, match="these recordings have no classes"):
        contrastivity(TinyNetwork(classes=1), values)
