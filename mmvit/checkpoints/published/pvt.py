"""Names of the published ImageNet weights of PVT."""

import re

from torch import Tensor

from .renaming import StateDict, convert_by, rename

_RULES = []
for number in range(1, 5):
    ours = f'backbone.stages.{number - 1}'
    embed, block = f'{ours}.downsample.patch_embed', rf'{ours}.blocks.\1'
    theirs = rf'block{number}\.(\d+)\.'
    _RULES += [
        (rf'patch_embed{number}\.proj\.', f'{embed}.projection.'),
        (rf'patch_embed{number}\.norm\.', f'{embed}.norm.'),
        (rf'{theirs}attn\.sr\.', f'{block}.attn.reduction.projection.'),
        (rf'{theirs}attn\.norm\.', f'{block}.attn.reduction.norm.'),
        (theirs, f'{block}.'),
    ]
_RULES += [
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.', 'head.fc.'),
    (r'cls_token$', 'backbone.stages.3.downsample.cls_token'),
]


def _place(key: str, value: Tensor) -> StateDict:
    table = re.fullmatch(r'pos_embed([1-4])', key)
    if not table:
        return {rename(key, _RULES): value}
    # A published table is a row of tokens, ours a grid. The first token of
    # stage 4 is the class token.
    name, placed = f'backbone.stages.{int(table[1]) - 1}.downsample', {}
    if table[1] == '4':
        placed[f'{name}.cls_position'] = value[:, :1]
        value = value[:, 1:]
    side = round(value.shape[1] ** 0.5)
    placed[f'{name}.position.table'] = value.unflatten(1, (side, -1))
    return placed


def convert(state_dict: StateDict) -> tuple[StateDict, list[str]]:
    """Convert published PVT weights."""
    return convert_by(_place, state_dict)
