import pytest
import torch
from torch import Tensor

from mmvit.analysis.multiply_adds import MultiplyAddCounter
from mmvit.models.backbones.focal import (
    FocalAttention,
    FocalTransformer,
    RelativePositionBias,
    _extended,
    _regions,
)

ARCH = dict(
    embed_dims=(8, 16, 24, 32),
    depths=(1, 2, 2, 1),
    num_heads=(1, 2, 3, 4),
    mlp_ratios=(2, 2, 2, 2),
    window_sizes=(4, 4, 3, 3),
    focal_windows=((1, 4), (1, 4), (1, 3), (1, 3)),
    focal_regions=((8, 5), (8, 3), (5, 3), (3, 1)),
)


def keys_of(
    attn: FocalAttention, size: tuple[int, int], top: int, left: int
) -> list[tuple[int, tuple[int, int]]]:
    """What a window attends to: (number of the bias, token or sub-window)."""
    side, found, number = attn.window_size, [], 0
    shift = attn.shift
    padded = [-(-(n + shift) // side) * side for n in size]
    for level, (sub, region) in enumerate(attn.levels):
        span = side // sub
        # In units of the level, on the grid that the windows lie on.
        start = [
            (at + shift) // sub - (region - span) // 2 for at in (top, left)
        ]
        inside, ring = [], []
        for i in range(region):
            for j in range(region):
                at = [start[0] + i, start[1] + j]
                if level == 0:
                    is_own = all(
                        (region - side) // 2 <= o < (region + side) // 2
                        for o in (i, j)
                    )
                    if attn.border == 'wrap':
                        at = [p % n for p, n in zip(at, padded)]
                    at = [p - shift for p in at]
                    real = all(0 <= p < n for p, n in zip(at, size))
                    (inside if is_own else ring).append((tuple(at), real))
                else:
                    grid = [-(-(n + shift) // sub) for n in size]
                    real = all(
                        shift < (p + 1) * sub and p < n
                        for p, n in zip(at, grid)
                    )
                    inside.append((tuple(at), real))
        for at, real in inside + ring:
            if real:
                found.append((level, number, at))
            number += 1
    return found


def table_bias(bias: RelativePositionBias) -> Tensor:
    """The bias of each query (of w * w) and key (of f * f), per head."""
    side, region = (int(len(at) ** 0.5) for at in (bias.index, bias.index.T))
    out = torch.zeros(bias.table.shape[-1], side**2, region**2)
    for query in range(side**2):
        for key in range(region**2):
            offset = [
                query // side - key // region + region - 1,
                query % side - key % region + region - 1,
            ]
            out[:, query, key] = bias.table[offset[0], offset[1]]
    return out


def naive(attn: FocalAttention, x: Tensor) -> Tensor:
    """Window by window, query by query, from the definition."""
    size, side, heads = x.shape[1:3], attn.window_size, attn.num_heads
    shift = attn.shift
    parts = [table_bias(attn.position_bias_window)]
    if attn.position_bias_ring is not None:
        parts.append(attn.position_bias_ring)
    parts += [table_bias(bias) for bias in attn.position_bias_coarse]
    biases = torch.cat(parts, -1)
    out = torch.zeros_like(x)

    def token(level: int, at: tuple[int, int]) -> Tensor:
        if level == 0:
            return x[:, at[0], at[1]]
        sub, pool = attn.levels[level][0], attn.pools[level - 1]
        total = pool.bias.expand(len(x), x.shape[-1])
        for i in range(sub):
            for j in range(sub):
                row, column = at[0] * sub + i - shift, at[1] * sub + j - shift
                if 0 <= row < size[0] and 0 <= column < size[1]:
                    weight = pool.weight[0, i * sub + j]
                    total = total + weight * x[:, row, column]
        return total

    for top in range(-shift, size[0], side):
        for left in range(-shift, size[1], side):
            found = keys_of(attn, size, top, left)
            source = torch.stack([token(n, at) for n, _, at in found], 1)
            k, v = attn.kv(source).chunk(2, -1)
            numbers = [number for _, number, _ in found]
            for i in range(side):
                for j in range(side):
                    row, column = top + i, left + j
                    if not (0 <= row < size[0] and 0 <= column < size[1]):
                        continue
                    q = attn.q(x[:, row, column])[:, None]
                    parts = []
                    for head, (hq, hk, hv) in enumerate(
                        zip(*(part.chunk(heads, -1) for part in (q, k, v)))
                    ):
                        logits = hq @ hk.mT / hq.shape[-1] ** 0.5
                        logits = logits + biases[head, i * side + j, numbers]
                        parts.append((logits.softmax(-1) @ hv)[:, 0])
                    out[:, row, column] = torch.cat(parts, -1)
    return attn.proj(out)


@pytest.mark.parametrize('border', ['wrap', 'mask'])
@pytest.mark.parametrize(
    ('side', 'levels', 'shift'),
    [
        (3, ((1, 5), (3, 3)), 0),
        (3, ((1, 5), (3, 3)), 1),
        (3, ((1, 3), (3, 5)), 0),
        (3, ((1, 7),), 0),
        (3, ((1, 3),), 1),
        (4, ((1, 8), (2, 4), (4, 3)), 2),
    ],
)
@pytest.mark.parametrize('size', [(6, 8), (7, 5)])
def test_against_a_loop(size, side, levels, shift, border):
    torch.manual_seed(0)
    attn = FocalAttention(4, 2, side, levels, border, shift)
    for parameter in attn.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, *size, 4)
    with torch.no_grad():
        torch.testing.assert_close(
            attn(x), naive(attn, x), rtol=1e-4, atol=1e-4
        )


def test_figure_4():
    """The tokens of the paper's figure: 8x8, 6x6 and 5x5 of 20x20."""
    levels = (1, 8), (2, 6), (4, 5)
    sizes = (20, 20, 4, 0, False, *(n for level in levels for n in level))
    index, mask = _regions(*sizes, like=torch.rand(1))
    assert mask.shape == (25, 1, 1, 64 + 36 + 25)
    assert not mask[12].any(), 'the window in the middle has them all'
    # The corner has 6x6 of its 8x8, 4x4 of its 6x6 and 3x3 of its 5x5.
    assert (mask[0] == 0).sum() == 36 + 16 + 9
    spans, first = ((6, 14), (2, 8), (0, 5)), 0
    for level, side, span in zip(levels, (20, 10, 5), spans):
        long = _extended(5, 4, *level)
        places, index = index[: long**2].view(long, long), index[long**2 :]
        start = 2 * (4 // level[0])
        at = slice(start, start + level[1])
        tokens = torch.arange(side * side).view(side, side) + first
        expected = tokens[slice(*span), slice(*span)]
        assert torch.equal(places[at, at], expected), level
        first += side * side


def test_a_window_that_covers_the_map_is_not_moved():
    torch.manual_seed(0)
    attn = FocalAttention(4, 1, 4, ((1, 4), (4, 1)))
    moved = FocalAttention(4, 1, 4, ((1, 4), (4, 1)), shift=2)
    moved.load_state_dict(attn.state_dict())
    x = torch.rand(1, 4, 3, 4)
    torch.testing.assert_close(attn(x), moved(x))


def test_queries_of_coarse_tokens_are_not_computed():
    attn = FocalAttention(4, 1, 2, ((1, 4), (2, 3))).requires_grad_(False)
    with MultiplyAddCounter() as counter:
        attn(torch.rand(1, 8, 8, 4))
    tokens, windows, keys = 64, 16, 16 + 9
    projections = tokens * 4 * 4 * 2 + (tokens + windows) * 4 * 8
    pooling, products = tokens * 4, 2 * tokens * keys * 4
    assert counter.total == projections + pooling + products


@pytest.mark.parametrize(
    'options',
    [
        dict(interactions=()),
        dict(interactions=('local',)),
        dict(interactions=('global',)),
        dict(with_shift=True),
        dict(border='mask'),
        dict(conv_embed=True),
        dict(overrides=dict(depths=(1, 2, 1, 1))),
        dict(overrides=dict(focal_regions=((8, 3), (8, 3), (5, 3), (3, 1)))),
    ],
    ids=str,
)
def test_ablations_change_the_function(options):
    image = torch.rand(1, 3, 65, 97)
    outs = []
    for kwargs in ({}, options):
        torch.manual_seed(0)
        model = FocalTransformer(ARCH, **kwargs).eval()
        # Alike where the two have the same parameters.
        for name, parameter in model.named_parameters():
            torch.manual_seed(sum(name.encode()))
            torch.nn.init.normal_(parameter, std=0.3)
        with torch.no_grad():
            outs.append(model(image)[-1])
    assert outs[0].shape == outs[1].shape
    assert not torch.allclose(*outs, atol=1e-4)


def test_shift_is_in_every_second_block():
    with torch.device('meta'):
        model = FocalTransformer('tiny', with_shift=True)
    for stage in model.stages:
        shifts = [block.attn.shift for block in stage.blocks]
        assert shifts == [0, 3] * (len(shifts) // 2)


def test_interactions_choose_the_levels():
    model = FocalTransformer(ARCH, interactions=('global',))
    assert model.build_levels(0) == [(1, 4), (4, 5)]
    model = FocalTransformer(ARCH, interactions=('local',))
    assert model.build_levels(1) == [(1, 8)]
    assert FocalTransformer(ARCH).build_levels(2) == [(1, 5), (3, 3)]


def test_pooling_starts_as_the_mean():
    model = FocalTransformer(ARCH)
    model.init_weights()
    pool = model.stages[0].blocks[0].attn.pools[0]
    windows = torch.rand(6, 16, 8)
    torch.testing.assert_close(pool(windows), windows.mean(1))


def test_tables_of_another_region_are_resized():
    source = RelativePositionBias(2, 3, 3)
    target = RelativePositionBias(2, 3, 5)
    ramp = torch.arange(5.0)[:, None, None].expand(5, 5, 2)
    source.load_state_dict({'table': ramp})
    target.load_state_dict(source.state_dict())
    # Bilinear, between the centres of 5 and of 7 cells.
    expected = ((torch.arange(7) + 0.5) * 5 / 7 - 0.5).clamp(0, 4)
    torch.testing.assert_close(
        target.table.detach(), expected[:, None, None].expand(7, 7, 2)
    )
    with pytest.raises(RuntimeError, match='size mismatch'):
        RelativePositionBias(3, 3, 3).load_state_dict(source.state_dict())


def test_detection_loads_classification_weights(tmp_path):
    larger = ((8, 7), (8, 5), (5, 5), (3, 3))
    source = FocalTransformer(ARCH, out_indices=(3,))
    torch.save({'state_dict': source.state_dict()}, tmp_path / 'weights.pth')
    target = FocalTransformer(
        ARCH,
        overrides=dict(focal_regions=larger),
        init_cfg=dict(
            type='Pretrained', checkpoint=str(tmp_path / 'weights.pth')
        ),
    )
    target.init_weights()
    for key, value in source.state_dict().items():
        if 'position_bias_coarse' not in key:
            torch.testing.assert_close(target.state_dict()[key], value)


@pytest.mark.parametrize('size', [(800, 1333), (225, 225), (33, 65)])
def test_sizes(size):
    with torch.device('meta'):
        model = FocalTransformer(ARCH).eval()
        outs = model(torch.rand(1, 3, *size))
    for out, stride in zip(outs, (4, 8, 16, 32)):
        assert out.shape[2:] == tuple(-(-side // stride) for side in size)


def test_errors():
    with pytest.raises(ValueError, match='local, global'):
        FocalTransformer(ARCH, interactions=('far',))
    with pytest.raises(ValueError, match='wrap'):
        FocalTransformer(ARCH, border='reflect')
    with pytest.raises(ValueError, match='arch'):
        FocalTransformer(ARCH, overrides=dict(depht=(1, 1, 1, 1)))
    with pytest.raises(ValueError, match='as many'):
        FocalTransformer(ARCH, overrides=dict(focal_regions=((8,),) * 4))
    for levels, match in (
        ((), 'first'),
        (((2, 2),), 'first'),
        (((1, 4), (3, 3)), 'not divide'),
        (((1, 4), (8, 3)), 'not divide'),
        (((1, 5),), 'take 4, 6, 8'),
        (((1, 4), (4, 2)), 'take 1, 3, 5'),
        (((1, 2),), 'take 4'),
    ):
        with pytest.raises(ValueError, match=match):
            FocalAttention(4, 1, 4, levels)
