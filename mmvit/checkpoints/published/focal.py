"""Names of the published ImageNet weights of Focal Transformer."""

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from .renaming import (
    Conversion,
    StateDict,
    convert_by,
    pyramid_size,
    rename,
    without_prefix,
)

_BLOCK = r'backbone.stages.\1.blocks.\2'
_THEIRS = r'layers\.(\d)\.blocks\.(\d+)\.'
_BIAS = f'{_BLOCK}.attn.position_bias'
_TABLE = rf'{_THEIRS}attn\.relative_position_bias_table'
# Ours belongs to the stage that it leads to.
_DOWNSAMPLE = [
    (
        rf'layers\.{stage - 1}\.downsample\.{theirs}\.',
        f'backbone.stages.{stage}.downsample.{ours}.',
    )
    for stage in range(1, 4)
    for theirs, ours in (('proj', 'projection'), ('norm', 'norm'))
]
_RULES = [
    (r'patch_embed\.proj\.', 'backbone.stages.0.downsample.projection.'),
    (r'patch_embed\.norm\.', 'backbone.stages.0.downsample.norm.'),
    (rf'{_TABLE}$', f'{_BIAS}_window.table'),
    (rf'{_TABLE}_to_neighbors$', f'{_BIAS}_ring'),
    (rf'{_TABLE}_to_windows\.(\d)$', rf'{_BIAS}_coarse.\3.table'),
    (rf'{_THEIRS}pool_layers\.', f'{_BLOCK}.attn.pools.'),
    (rf'{_THEIRS}(norm|attn\.(qkv|proj)\.|mlp)', rf'{_BLOCK}.\3'),
    *_DOWNSAMPLE,
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.', 'head.fc.'),
]
# Indices and masks, which we compute
_COMPUTED = re.compile(
    _THEIRS
    + r'attn\.(relative_position_index|valid_ind_rolled|valid_ind_unfold)'
)

# Only Focal-fast has these: another attention, which we do not have
_FAST = re.compile(r'.*\.attn\.(coord2rpb_all|topk_cloest|window_coords)')
_SIZES = {
    (96, (2, 2, 6, 2)): 't',
    (96, (2, 2, 18, 2)): 's',
    (128, (2, 2, 18, 2)): 'b',
}


def fold_ring_bias(bias: Tensor) -> Tensor:
    """Fold the biases of keys that the release has twice.

    The release takes the tokens around a window from four windows, shifted
    by e tokens to the bottom right, bottom left, top right and top left.
    Where two of them overlap a token is a key twice, with the biases b1 and
    b2; exp(b1) + exp(b2) is what they weigh together.

    Args:
        bias: The release's table.

    Shape: bias (1, h, w * w, keys) -> (h, w * w, (w + 2 * e)^2 - w * w).
    """
    side = round(bias.shape[2] ** 0.5)
    reach = side - round((side**2 - bias.shape[3] / 4) ** 0.5)
    whole = side + 2 * reach
    inside = range(reach, reach + side)
    ring = [
        (row, column)
        for row in range(whole)
        for column in range(whole)
        if row not in inside or column not in inside
    ]
    far = 2 * reach
    keys = [
        (row + top, column + left)
        for top, left in ((far, far), (far, 0), (0, far), (0, 0))
        for row in range(side)
        for column in range(side)
        if row + top not in inside or column + left not in inside
    ]
    # Where a token stands among the keys; once is twice with nothing.
    first = [keys.index(token) for token in ring]
    last = [len(keys) - 1 - keys[::-1].index(token) for token in ring]
    last = [len(keys) if i == j else j for i, j in zip(first, last)]
    bias = F.pad(bias[0], (0, 1), value=-torch.inf)
    return torch.logaddexp(bias[..., first], bias[..., last])


def _place(key: str, value: Tensor) -> StateDict:
    if _COMPUTED.match(key):
        return {}
    name = rename(key, _RULES)
    if '.attn.qkv.' in name:
        q, k, v = value.chunk(3)
        return {
            name.replace('.qkv.', '.q.'): q,
            name.replace('.qkv.', '.kv.'): torch.cat([k, v]),
        }
    if name.endswith('position_bias_ring'):
        value = fold_ring_bias(value)
    elif '.position_bias_' in name:
        if 'coarse' in name:
            value = value.T
        # From (f * f, h) to (f, f, h)
        value = value.unflatten(0, (round(len(value) ** 0.5), -1))
    return {name: value}


def convert(state_dict: StateDict) -> Conversion:
    """Convert published Focal Transformer weights.

    Raises:
        ValueError: If they are those of Focal-fast (focalv2).
    """
    state_dict = without_prefix(state_dict, 'backbone.')
    if any(_FAST.match(key) for key in state_dict):
        raise ValueError(
            'this is Focal-fast (focalv2), whose attention takes the nearest '
            'tokens of each window as keys. MMViT has no such backbone. The '
            'files focal-{tiny,small,base}[-useconv]-is224-ws7.pth of the '
            'same release can be converted.'
        )
    done = convert_by(_place, state_dict)
    size = _SIZES.get(pyramid_size(done.weights))
    if size:
        stem = state_dict.get('patch_embed.proj.weight')
        # Overlapping patches are 7 pixels wide, the others 4.
        conv = '-conv' if stem is not None and stem.shape[-1] == 7 else ''
        done.config = f'configs/focal/focal-{size}{conv}_8xb128-300e_in1k.py'
    return done
