"""Training on the phantom: calibrated random backbones let the head learn; bare ones don't."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.planning.plan import set_digest, set_request
from protocols.images import splits
from protocols.images.decoded import image_set
from protocols.images.pool import in_batches, make_pool
from protocols.runs.checkpoint import layout_of
from protocols.runs.twin import begin_epoch
from protocols.weights.start import HeadsOnly
from tests.support import stand_in

SMALL = "efficientnet_lite0_lstm"
EPOCHS = 200  # of two steps each
slow = pytest.mark.slow


def twin_of(framework, variant, plan_of, phantom, cache, precision="float32", many=False):
    """A twin with 64 phantom images to train on (Jane's 36), its run and its pool.

    `many`: 288 augmented ones instead, and Jane's CNN frozen as if it were loaded.
    """
    words = {"frameworks": (framework,), "precision": precision}
    words |= {"protocol": "cv10"} if many else {}
    (run,) = [s for s in plan_of(variant, **words) if s.stage == "train" and not s.fold]
    if run.protocol == "fixed":
        run = replace(run, data=run.data | {"train_per_class": 16})
    if many:
        data = run.data | {"per_class": 80}
        data["digest"] = set_digest("phantom", set_request("cv10", 0, data))
        run = replace(run, data=data, recipe=run.recipe | {"images_per_class": 80})
    images = image_set(phantom, set_request(run.protocol, run.fold, run.data), cache)
    pool = make_pool(images, [run])
    assert run.protocol != "fixed" or len(pool.train[0]) == 64
    if framework == "keras":
        from impl_keras.worker import make_twin
    else:
        from impl_torch.worker import make_twin
    if not many or len(run.phases) == 2:
        return make_twin([run], pool), run, pool
    run = replace(run, weights={"source": "imagenet", "digest": "e" * 64})
    return make_twin([run], pool, HeadsOnly()), run, pool


def features_of(twin, pool):
    """The features of every backbone, as a run stores them."""
    from protocols.papers.variants import load_variants

    count = len(load_variants()[twin.spec.variant].backbones)
    batches = in_batches(np.arange(len(pool)), 32)
    return [
        np.concatenate([twin.backbone_features(i, batch) for batch in batches])
        for i in range(count)
    ]


def epoch_of(twin, run, pool, phase, number):
    """Figures (steps, 2) of one epoch, batch by batch."""
    n = begin_epoch([run], pool, twin, phase["phase"], number)
    return twin.read([twin.step(i, min(i + 32, n)) for i in range(0, n, 32)])[:, 0]


def fitted(twin, run, pool):
    """The best accuracy over the 64 images in an epoch of phase 1: RMSProp jumps at times."""
    twin.begin_phase(run.phases[0], features_of(twin, pool))
    epochs = (epoch_of(twin, run, pool, run.phases[0], epoch) for epoch in range(EPOCHS))
    return max(figures[:, 1].sum() / 64 for figures in epochs)


@pytest.mark.parametrize(
    ("framework", "backbone"),
    [
        ("torch", "inception_v3"),
        pytest.param("keras", "xception", marks=slow),
        pytest.param("torch", "resnet50", marks=slow),
    ],
)
def test_the_head_fits_64_phantoms_only_over_a_calibrated_backbone(
    framework, backbone, plan_of, phantom, cache
):
    """Each backbone in one twin: the golden runs hold what both twins compute over calibrated ones,
    and the ladder that they compute the same."""
    bare = fitted(*twin_of(framework, backbone, plan_of, phantom, cache))
    twin, run, pool = twin_of(framework, backbone, plan_of, phantom, cache)
    calibrate(twin, pool)
    calibrated = fitted(twin, run, pool)
    assert calibrated >= 0.95
    assert bare <= 0.6


def calibrate(twin, pool):
    n = len(pool.train[0])
    twin.calibrate([pool.train[0][rows] for rows in splits.calibration_rows(n, 256, 32)])


@pytest.mark.parametrize("framework", ["keras", "torch"])
@pytest.mark.parametrize(
    "variant",
    ["resnet50", pytest.param("cnn_gru", marks=slow)],
)
def test_stored_features_train_as_the_frozen_network_does(
    framework, variant, plan_of, phantom, cache, monkeypatch
):
    """Losses of an epoch, batch by batch, and the answers after it. Of the quick network a stand-in
    is the backbone: what matters is that batch normalisation in it is frozen."""
    figures, answers, many = [], [], variant == "cnn_gru"
    if variant == "resnet50":
        stand_in.put(monkeypatch)
    for stored in (True, False):
        twin, run, pool = twin_of(framework, variant, plan_of, phantom, cache, many=many)
        calibrate(twin, pool)
        twin.begin_phase(run.phases[0], features_of(twin, pool) if stored else None)
        assert run.phases[0]["frozen"]
        figures.append(epoch_of(twin, run, pool, run.phases[0], 1))
        answers.append(twin.log_probabilities()[0])
    assert len(figures[0]) == (9 if many else 2)
    np.testing.assert_allclose(figures[0][:, 0], figures[1][:, 0], rtol=1e-5)
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("framework", ["keras", "torch"])
@pytest.mark.parametrize(
    "variant",
    [SMALL, pytest.param("resnet50_lstm", marks=slow)],
)
def test_bfloat16_is_another_arithmetic_of_the_same_step(
    framework, variant, plan_of, phantom, cache, monkeypatch
):
    """The first loss, every layer trained: near that of float32, and not the same. Of the quick
    network a stand-in is the backbone: each kind of layer is there, once."""
    if variant == SMALL:
        stand_in.put(monkeypatch)
    losses = []
    for precision in ("float32", "bfloat16"):
        twin, run, pool = twin_of(framework, variant, plan_of, phantom, cache, precision)
        phase = run.phases[-1]
        if len(run.phases) == 2:
            twin.begin_phase(run.phases[0], features_of(twin, pool))
            twin.log_probabilities()
        twin.begin_phase(phase, None)
        assert np.isfinite(twin.log_probabilities()[0]).all()
        assert twin.layout(phase, stepped=False) == layout_of(twin.state())
        begin_epoch([run], pool, twin, phase["phase"], 1)
        losses.append(twin.read([twin.step(0, 8)])[0, 0, 0])
        assert twin.layout(phase, stepped=True) == layout_of(twin.state())
        weights = [v for k, v in twin.state().items() if k.startswith("network/")]
        assert {v.dtype for v in weights if v.dtype.kind == "f"} == {np.dtype("float32")}
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
