"""Names of the published ImageNet weights of PVT."""

import re

from torch import Tensor

_RULES = (
    (
        r'patch_embed(\d)\.proj\.',
        r'{stage}.downsample.patch_embed.projection.',
    ),
    (r'patch_embed(\d)\.norm\.', r'{stage}.downsample.patch_embed.norm.'),
    (
        r'block(\d)\.(\d+)\.attn\.sr\.',
        r'{stage}.blocks.\2.attn.reduction.projection.',
    ),
    (
        r'block(\d)\.(\d+)\.attn\.norm\.',
        r'{stage}.blocks.\2.attn.reduction.norm.',
    ),
    (r'block(\d)\.(\d+)\.', r'{stage}.blocks.\2.'),
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.', 'head.fc.'),
)


def _rename(key: str) -> str | None:
    for pattern, replacement in _RULES:
        match = re.match(pattern, key)
        if match:
            name = match.expand(replacement) + key[match.end() :]
            if '{stage}' in name:
                stage = int(match.group(1)) - 1
                name = name.replace('{stage}', f'backbone.stages.{stage}')
            return name
    return None


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
        elif key == 'cls_token':
            converted['backbone.stages.3.downsample.cls_token'] = value
        elif name := _rename(key):
            converted[name] = value
        else:
            unplaced.append(key)
    return converted, unplaced
