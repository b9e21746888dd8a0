"""Makes a Recorder that is filled by hand."""

import numpy as np

from protocols.runs.record import Recorder

LABELS = np.array([0, 1, 2, 3])


def log_p(confidence):
    """Gives log-probabilities in which each true class has `confidence`."""
    p = np.full((4, 4), (1 - confidence) / 3)
    p[np.arange(4), LABELS] = confidence
    return np.log(p)


def recorder(run, epochs):
    made = Recorder(run, list("abcd"), LABELS)
    for phase, epoch, answers in epochs:
        figures = dict.fromkeys(("train_loss", "penalty", "train_accuracy"), 0.0)
        made.epoch(phase, epoch, answers, **figures, train_seconds=1, eval_seconds=1)
    return made
