"""Names of the published ImageNet weights of Focal Transformer."""

import re

import torch
import torch.nn.functional as F
from torch import Tensor

from .renaming import StateDict, convert_by, rename

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


def convert(state_dict: StateDict) -> tuple[StateDict, list[str]]:
    """Convert published Focal Transformer weights."""
    return convert_by(_place, state_dict)
