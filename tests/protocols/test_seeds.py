"""What is drawn is drawn by its seed and its purpose."""

import pytest

from protocols.seeds import derive, dropout_keep, epoch_order


def test_seeds_are_hashed_from_seed_and_purpose():
    assert derive(0, "weights") == derive(0, "weights")
    assert len({derive(0, "weights"), derive(1, "weights"), derive(0, "dropout")}) == 3
    first, second = epoch_order(0, 1, 1, 50), epoch_order(0, 1, 2, 50)
    assert sorted(first) == list(range(50))
    assert (first != second).any()


def test_dropout_is_drawn_by_seed_fold_and_epoch():
    drawn = {
        key: dropout_keep(*key, (90, 512), 0.3)
        for key in [(0, 0, 1, 1), (1, 0, 1, 1), (0, 1, 1, 1), (0, 0, 1, 2), (0, None, 1, 1)]
    }
    again = dropout_keep(0, 0, 1, 1, (90, 512), 0.3)
    assert (again == drawn[0, 0, 1, 1]).all()
    assert len({keep.tobytes() for keep in drawn.values()}) == len(drawn)
    assert again.mean() == pytest.approx(0.7, abs=0.01)
