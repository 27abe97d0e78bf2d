import torch

from mmvit.models.layers import MASKED, ceil_div, padding_bias
from mmvit.models.layers.sizes import cached_by_size


def test_division_rounds_up():
    assert [ceil_div(n, 4) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_padded_keys_are_masked():
    bias = padding_bias(torch.tensor([[True, False], [True, True]]))
    assert bias.tolist() == [[0, MASKED], [0, 0]]


def test_results_are_cached_by_size():
    calls = []

    @cached_by_size(lambda length: [(float, length)])
    def range_of(length: int) -> torch.Tensor:
        calls.append(length)
        return torch.arange(length).double() / 3

    like = torch.rand(1)
    assert range_of(3, like=like) is range_of(3, like=like)
    assert range_of(4, like=like).dtype == torch.float32
    assert calls == [3, 4]
    exact = range_of(3, like=like.double())
    assert exact.tolist() == [0, 1 / 3, 2 / 3]
    on_meta = range_of(3, like=torch.empty(1, device='meta'))
    assert on_meta.device.type == 'meta'


def test_cached_tensors_can_be_trained_with():
    """A tensor that was first made in inference mode works in training."""

    @cached_by_size(lambda length: [(float, length)])
    def ones(length: int) -> torch.Tensor:
        return torch.ones(length)

    weight = torch.ones(2, requires_grad=True)
    with torch.inference_mode():
        ones(2, like=weight)
    (ones(2, like=weight) * weight).sum().backward()
    assert weight.grad.tolist() == [1, 1]


def test_a_graph_gets_a_copy():
    """What a compiled graph writes into a result does not stay there."""

    @cached_by_size(lambda length: [(float, length), (int, None)])
    def pair_of(length: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(length), torch.arange(length + 1)

    def write(x: torch.Tensor) -> torch.Tensor:
        zeros, numbers = pair_of(len(x), like=x)
        return zeros.add_(x).sum() + numbers.sum()

    torch.compiler.reset()
    compiled = torch.compile(write, backend='eager', fullgraph=True)
    for _ in range(2):
        assert compiled(torch.ones(3)) == 3 + 6
    assert pair_of(3, like=torch.ones(1))[0].tolist() == [0, 0, 0]
