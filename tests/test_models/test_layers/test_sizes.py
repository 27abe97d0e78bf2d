import torch

from mmvit.models.layers import MASKED, ceil_div, padding_bias
from mmvit.models.layers.sizes import cached_by_size


def test_division_rounds_up():
    assert [ceil_div(n, 4) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_padding_is_masked_for_each_image():
    bias = padding_bias(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), 2)
    assert bias.shape == (4, 1, 1, 2)
    assert bias[:, 0, 0].tolist() == [[0, MASKED], [0, 0]] * 2


def test_results_are_cached_by_size():
    calls = []

    @cached_by_size
    def range_of(length: int) -> torch.Tensor:
        calls.append(length)
        return torch.arange(length)

    assert range_of(3) is range_of(3) is not range_of(4)
    assert calls == [3, 4]
