"""Training on the phantom: calibrated random backbones let the head learn; bare ones don't."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.plan import set_request
from protocols import splits
from protocols.images import image_set
from protocols.seeds import epoch_order
from tests.twins import BACKBONES

EPOCHS = 200  # of two steps each


def twin_of(framework, backbone, plan_of, phantom, cache):
    """A twin with 64 phantom images to train on, and its phase 1."""
    (run,) = [s for s in plan_of(backbone, frameworks=(framework,)) if s.stage == "train"]
    run = replace(run, data=run.data | {"train_per_class": 16})
    images = image_set(phantom, set_request(run.protocol, run.fold, run.data), cache)
    train_rows, test_rows = splits.split(images, run)
    assert len(train_rows) == 64
    if framework == "keras":
        from impl_keras.train import KerasTwin as Twin
    else:
        from impl_torch.train import TorchTwin as Twin
    return Twin(run, images, train_rows, test_rows), run.phases[0]


def fitted(twin, phase):
    """Accuracy over the 64 images at the end of phase 1."""
    twin.begin_phase(phase)
    for epoch in range(EPOCHS):
        figures = twin.epoch(np.split(epoch_order(0, 1, epoch, 64), 2), lambda n: None)
    return figures["train_accuracy"]


@pytest.mark.parametrize("framework", ["keras", "torch"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_the_head_fits_64_phantoms_only_over_a_calibrated_backbone(
    framework, backbone, plan_of, phantom, cache
):
    twin, phase = twin_of(framework, backbone, plan_of, phantom, cache)
    bare = fitted(twin, phase)
    twin, phase = twin_of(framework, backbone, plan_of, phantom, cache)
    twin.calibrate(splits.calibration_rows(64, 256, 32))
    calibrated = fitted(twin, phase)
    assert calibrated >= 0.95
    assert bare <= 0.6


def test_stored_features_give_the_answers_of_the_frozen_network(plan_of, phantom, cache):
    twin, phase = twin_of("torch", "resnet50", plan_of, phantom, cache)
    twin.calibrate(splits.calibration_rows(64, 256, 32))
    twin.begin_phase(phase)
    through_features = twin.log_probabilities()
    twin.test_part.features = None
    np.testing.assert_allclose(through_features, twin.log_probabilities(), rtol=1e-4, atol=1e-5)
