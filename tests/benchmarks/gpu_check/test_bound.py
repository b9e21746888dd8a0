"""The counted operations are those of the layers, and docs/gpu.md has the table that they make."""

import pytest
import torch
from torch import nn

from benchmarks.gpu_check import bound
from impl_torch.counting import counted
from protocols.files import ROOT

FORWARD_AND_BACKWARD = 3  # the gradients by input and by weights cost as much as forward each
TABLE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")


def trained(layer, x):
    found = layer(x)
    (found[0] if isinstance(found, tuple) else found).sum().backward()


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_convolutions_are_counted_with_their_groups(groups):
    layer = nn.Conv2d(8, 16, 3, padding=1, groups=groups)
    x = torch.randn(2, 8, 5, 6, requires_grad=True)
    multiplied = 2 * 16 * 5 * 6 * (8 // groups) * 9
    found = counted(lambda: trained(layer, x))
    assert found["flop"] == FORWARD_AND_BACKWARD * 2 * multiplied


@pytest.mark.parametrize("images", [1, 3])
def test_an_lstm_is_counted_as_its_products(images):
    layer = nn.LSTM(20, 16, batch_first=True, bidirectional=True)
    x = torch.randn(images, 7, 20, requires_grad=True)
    multiplied = 2 * 7 * images * 4 * 16 * (20 + 16)
    found = counted(lambda: trained(layer, x))
    assert found["flop"] == FORWARD_AND_BACKWARD * 2 * multiplied


def test_bytes_are_those_read_and_written_and_a_view_moves_none():
    x, y = torch.zeros(10, 10), torch.zeros(10, 10)
    assert counted(lambda: x + y)["bytes"] == 3 * 400
    assert counted(lambda: x.T.reshape(100).view(4, 25)[1:])["bytes"] == 2 * 400  # one copy


def test_the_bound_is_the_slower_of_computing_and_moving():
    counts = {"train": {"flop": bound.FLOPS, "bytes": 2 * bound.BYTES}}
    needs = bound.of_batches(counts, "train", 3)
    assert (needs.seconds, needs.bound) == (6, "memory")
    more = needs + bound.of_batches({"train": {"flop": 9 * bound.FLOPS, "bytes": 0}}, "train", 1)
    assert (more.seconds, more.bound) == (15, "computing")


def test_the_row_of_the_smallest_network_is_what_the_code_counts():
    runs = bound.planned(("inception_v3",))
    row, _ = bound.row(runs[0], bound.counted([runs[0][0]])[0])
    assert f"| {' | '.join(row)} |" in TABLE


@pytest.mark.slow
def test_rows_of_every_part_are_what_the_code_counts():
    """Two backbones beside an LSTM, and a sequence over a map; the command writes all the rows."""
    groups = bound.planned(("xception_resnet50_lstm", "cnn_gru"))
    counts = bound.counted([runs[0] for runs in groups])
    _, _, *rows, _ = bound.table(groups, counts)
    assert len(rows) == 2 and all(line in TABLE for line in rows)
