"""Names of the published ImageNet weights of PVT."""

import re

from torch import Tensor

from .renaming import rename

_RULES = []
for number in range(1, 5):
    ours = f'backbone.stages.{number - 1}'
    embed, block = f'{ours}.downsample.patch_embed', rf'{ours}.blocks.\1'
    _RULES += [
        (rf'patch_embed{number}\.proj\.', f'{embed}.projection.'),
        (rf'patch_embed{number}\.norm\.', f'{embed}.norm.'),
        (
            rf'block{number}\.(\d+)\.attn\.sr\.',
            f'{block}.attn.reduction.projection.',
        ),
        (
            rf'block{number}\.(\d+)\.attn\.norm\.',
            f'{block}.attn.reduction.norm.',
        ),
        (rf'block{number}\.(\d+)\.', f'{block}.'),
    ]
_RULES += [
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.', 'head.fc.'),
    (r'cls_token$', 'backbone.stages.3.downsample.cls_token'),
]


def convert(
    state_dict: dict[str, Tensor],
) -> tuple[dict[str, Tensor], list[str]]:
    """Convert published PVT weights to our ImageNet classifier's.

    A published position table is a row of tokens: ours keeps its grid, and
    the class token's entry, the first of stage 4's, apart.

    Args:
        state_dict: Published names to tensors.

    Returns:
        Our names to tensors, and the published names without a place.
    """
    converted, unplaced = {}, []
    for key, value in state_dict.items():
        table = re.fullmatch(r'pos_embed([1-4])', key)
        if table:
            stage = int(table.group(1)) - 1
            name = f'backbone.stages.{stage}.downsample'
            if stage == 3:
                converted[f'{name}.cls_position'] = value[:, :1]
                value = value[:, 1:]
            side = round(value.shape[1] ** 0.5)
            converted[f'{name}.position.table'] = value.unflatten(
                1, (side, -1)
            )
        elif name := rename(key, _RULES):
            converted[name] = value
        else:
            unplaced.append(key)
    return converted, unplaced
