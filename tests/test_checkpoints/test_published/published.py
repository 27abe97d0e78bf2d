"""Published weights, by their names and shapes, with random values."""

import torch
from torch import Tensor

PVT_DEPTHS = {
    'tiny': (2, 2, 2, 2),
    'small': (3, 4, 6, 3),
    'medium': (3, 4, 18, 3),
    'large': (3, 8, 27, 3),
}
PVT_WIDTHS = (64, 128, 320, 512)
PVT_HEADS = (1, 2, 5, 8)
PVT_REDUCTIONS = (8, 4, 2, 1)
PVT_MLP_RATIOS = (8, 8, 4, 4)


Depths = tuple[int, ...] | None  # of the stages; None: those of the arch


def pvt_shapes(arch: str, depths: Depths = None) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published PVT classifier."""
    shapes: dict[str, tuple[int, ...]] = {'cls_token': (1, 1, 512)}

    def layer(name: str, *shape: int) -> None:
        shapes[f'{name}.weight'] = shape
        shapes[f'{name}.bias'] = shape[:1]

    last = 3
    for stage, dims in enumerate(PVT_WIDTHS):
        number, patch = stage + 1, 2 if stage else 4
        tokens = (56 // 2**stage) ** 2 + (stage == 3)
        shapes[f'pos_embed{number}'] = (1, tokens, dims)
        layer(f'patch_embed{number}.proj', dims, last, patch, patch)
        layer(f'patch_embed{number}.norm', dims)
        for index in range((depths or PVT_DEPTHS[arch])[stage]):
            block = f'block{number}.{index}'
            hidden, side = dims * PVT_MLP_RATIOS[stage], PVT_REDUCTIONS[stage]
            layer(f'{block}.norm1', dims)
            layer(f'{block}.attn.q', dims, dims)
            layer(f'{block}.attn.kv', 2 * dims, dims)
            layer(f'{block}.attn.proj', dims, dims)
            if side > 1:
                layer(f'{block}.attn.sr', dims, dims, side, side)
                layer(f'{block}.attn.norm', dims)
            layer(f'{block}.norm2', dims)
            layer(f'{block}.mlp.fc1', hidden, dims)
            layer(f'{block}.mlp.fc2', dims, hidden)
        last = dims
    layer('norm', last)
    layer('head', 1000, last)
    return shapes


SCALABLEVIT = {
    'small': dict(
        dims=(64, 128, 256, 512),
        heads=(2, 4, 8, 16),
        depths=(2, 2, 20, 2),
        ratios=(1.25, 1.25, 1.25, 1),
    ),
    'base': dict(
        dims=(96, 192, 384, 768),
        heads=(3, 6, 12, 24),
        depths=(2, 2, 14, 6),
        ratios=(2, 1.25, 1.25, 1),
    ),
    'large': dict(
        dims=(128, 256, 512, 1024),
        heads=(4, 8, 16, 32),
        depths=(2, 6, 12, 4),
        ratios=(0.25, 0.5, 1, 1),
    ),
}


def scalablevit_shapes(
    arch: str, depths: Depths = None
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published ScalableViT classifier."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        shapes[f'{name}.weight'] = shape
        shapes[f'{name}.bias'] = shape[:1]

    last, settings = 3, SCALABLEVIT[arch]
    for stage, dims in enumerate(settings['dims']):
        side = 3 if stage else 7
        layer(f'patch_embeds.{stage}.proj', dims, last, side, side)
        layer(f'patch_embeds.{stage}.norm', dims)
        layer(f'pos_block.{stage}.proj.0', dims, 1, 3, 3)
        scaled, reduction = (
            int(dims * settings['ratios'][stage]),
            PVT_REDUCTIONS[stage],
        )
        for index in range((depths or settings['depths'])[stage]):
            block = f'stages.{stage}.{index}'
            attn = f'{block}.attn'
            layer(f'{block}.norm1', dims)
            if index % 2 == 0:
                layer(f'{attn}.qkv', 3 * dims, dims)
                layer(f'{attn}.lim_func', dims, 1, 3, 3)
            elif reduction == 1:
                layer(f'{attn}.q', dims, dims)
                layer(f'{attn}.kv', 2 * dims, dims)
            else:
                layer(f'{attn}.q', scaled, dims)
                layer(f'{attn}.reduction.0', dims, 1, reduction, reduction)
                layer(f'{attn}.reduction.1', scaled, dims, 1, 1)
                layer(f'{attn}.norm_act.0', scaled)
                layer(f'{attn}.k', scaled, scaled)
                layer(f'{attn}.v', dims, scaled)
            layer(f'{attn}.proj', dims, dims)
            layer(f'{block}.norm2', dims)
            layer(f'{block}.mlp.fc1', 4 * dims, dims)
            layer(f'{block}.mlp.fc2', dims, 4 * dims)
        last = dims
    layer('norm', last)
    layer('head.0', 4096, last)
    layer('head.1', 4096)
    layer('head.3', 1000, 4096)
    return shapes


HLG = {
    'mobile': dict(dims=(48, 96, 192, 384), depths=(2, 2, 2, 2)),
    'tiny': dict(dims=(64, 128, 256, 512), depths=(2, 2, 6, 2)),
    'small': dict(dims=(96, 192, 384, 768), depths=(2, 2, 6, 2)),
    'medium': dict(dims=(96, 192, 384, 768), depths=(2, 2, 18, 2)),
    'large': dict(dims=(128, 256, 512, 1024), depths=(2, 2, 18, 2)),
}
HLG_HEADS = {
    'mobile': (2, 4, 8, 16),
    'tiny': (2, 4, 8, 16),
    'small': (3, 6, 12, 24),
    'medium': (3, 6, 12, 24),
    'large': (4, 8, 16, 32),
}


def hlg_shapes(
    arch: str, released: bool = False, depths: Depths = None
) -> dict[str, tuple[int, ...]]:
    """Names and shapes that HLG's published modules have.

    Those of the dense code or, with `released`, of the classification code.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        shapes[f'{name}.weight'] = shape
        if bias:
            shapes[f'{name}.bias'] = shape[:1]

    def batch_norm(name: str, dims: int) -> None:
        layer(name, dims)
        shapes[f'{name}.running_mean'] = shapes[f'{name}.running_var'] = (
            dims,
        )
        shapes[f'{name}.num_batches_tracked'] = ()

    def position_bias(name: str, dims: int, heads: int) -> None:
        layer(f'{name}.pos_proj', dims, 2)
        for number, out in ((1, dims), (2, dims), (3, heads)):
            layer(f'{name}.pos{number}.0', dims)
            layer(f'{name}.pos{number}.2', out, dims)

    dims_of, depths = HLG[arch]['dims'], depths or HLG[arch]['depths']
    if released:
        depths = (*depths[:2], min(depths[2], 14), depths[3])
    for number, source in enumerate((3, dims_of[0])):
        layer(f's0_conv.{number}.0', dims_of[0], source, 3, 3, bias=False)
        batch_norm(f's0_conv.{number}.1', dims_of[0])
    last = dims_of[0]
    for stage, dims in enumerate(dims_of):
        heads = HLG_HEADS[arch][stage]
        for index in range(depths[stage]):
            block = f'block{stage + 1}.{index}'
            if index == 0:
                layer(f'{block}.down_proj.proj.0', dims, 1, 3, 3)
                batch_norm(f'{block}.down_proj.proj.1', dims)
            hidden = 4 * (dims if released else last)
            layer(f'{block}.mlp.fc1', hidden, last, 1, 1)
            batch_norm(f'{block}.mlp.norm1', hidden)
            layer(f'{block}.mlp.fc2', hidden, 1, 3, 3)
            batch_norm(f'{block}.mlp.norm2', hidden)
            layer(f'{block}.mlp.fc3', dims, hidden, 1, 1)
            for name in ('norm1', 'norm2'):
                layer(f'{block}.{name}', dims)
            for name in ('q', 'k', 'v', 'global_attn.proj'):
                layer(f'{block}.{name}', dims, dims)
            position_bias(f'{block}.pos_global', dims // 16, heads)
            if stage < 3:
                layer(f'{block}.norm0', dims)
                layer(f'{block}.h0_norm', dims)
                layer(f'{block}.aux_q', dims, 1, 3, 3)
                position_bias(f'{block}.pos_local', dims // 16, heads)
            if stage < 3 or released:
                smooth, quarter = f'{block}.spatial_smooth.0', dims // 4
                layer(f'{smooth}.0', quarter, dims, 1, 1)
                batch_norm(f'{smooth}.1', quarter)
                layer(f'{smooth}.3', quarter, quarter, 3, 3)
                batch_norm(f'{smooth}.4', quarter)
                layer(f'{smooth}.6', dims, quarter, 1, 1)
                batch_norm(f'{smooth}.7', dims)
            last = dims
    layer('norm', last)
    layer('head', 1000, last)
    return shapes


FOCAL = {
    'tiny': dict(dims=96, heads=3, depths=(2, 2, 6, 2)),
    'small': dict(dims=96, heads=3, depths=(2, 2, 18, 2)),
    'base': dict(dims=128, heads=4, depths=(2, 2, 18, 2)),
}
FOCAL_REGIONS = (7, 5, 3, 1)


def focal_shapes(
    arch: str, conv: bool = False, depths: Depths = None
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published Focal Transformer classifier."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(name: str, *shape: int) -> None:
        shapes[f'{name}.weight'] = shape
        shapes[f'{name}.bias'] = shape[:1]

    dims, heads = FOCAL[arch]['dims'], FOCAL[arch]['heads']
    side = 7 if conv else 4
    layer('patch_embed.proj', dims, 3, side, side)
    layer('patch_embed.norm', dims)
    for stage, region in enumerate(FOCAL_REGIONS):
        for index in range((depths or FOCAL[arch]['depths'])[stage]):
            block = f'layers.{stage}.blocks.{index}'
            attn = f'{block}.attn'
            layer(f'{block}.pool_layers.0', 1, 49)
            layer(f'{block}.norm1', dims)
            table = f'{attn}.relative_position_bias_table'
            shapes[table] = (169, heads)
            if stage < 3:
                shapes[f'{table}_to_neighbors'] = (1, heads, 49, 132)
                shapes[f'{attn}.valid_ind_rolled'] = (132,)
            shapes[f'{attn}.relative_position_index'] = (49, 49)
            shapes[f'{attn}.relative_position_index_0'] = (49, region**2)
            shapes[f'{table}_to_windows.0'] = (heads, (6 + region) ** 2)
            layer(f'{attn}.qkv', 3 * dims, dims)
            layer(f'{attn}.proj', dims, dims)
            layer(f'{block}.norm2', dims)
            layer(f'{block}.mlp.fc1', 4 * dims, dims)
            layer(f'{block}.mlp.fc2', dims, 4 * dims)
        if stage < 3:
            side = 3 if conv else 2
            down = f'layers.{stage}.downsample'
            layer(f'{down}.proj', 2 * dims, dims, side, side)
            layer(f'{down}.norm', 2 * dims)
            dims, heads = 2 * dims, 2 * heads
    layer('norm', dims)
    layer('head', 1000, dims)
    return shapes


def random_weights(
    shapes: dict[str, tuple[int, ...]], seed: int = 0
) -> dict[str, Tensor]:
    """Values that keep activations in range, so that errors show."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator)
        if name.endswith('running_var'):
            value = 0.5 + value.abs()
        elif len(shape) in (2, 4):
            value /= value[0].numel() ** 0.5
        elif 'norm' in name and name.endswith('.weight'):
            value = 1 + 0.1 * value
        else:
            value *= 0.1
        weights[name] = value
    return weights
