"""A PVT's weights as its authors would have published them."""

import io
import re

import torch
from torch import Tensor

_RULES = (
    (r'backbone\.stages\.(\d)\.downsample\.patch_embed\.', r'patch_embed\1.'),
    (r'backbone\.stages\.(\d)\.blocks\.', r'block\1.'),
    (r'backbone\.norms\.3\.', 'norm.'),
    (r'(patch_embed\d\.)projection\.', r'\1proj.'),
    (r'attn\.reduction\.projection\.', 'attn.sr.'),
    (r'attn\.reduction\.norm\.', 'attn.norm.'),
    (r'head\.fc\.', 'head.'),
    (r'backbone\.stages\.3\.downsample\.cls_token', 'cls_token'),
)


def published_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights of our classifier the names of PVT's release.

    The release counts stages from 1. A position table (1, H, W, C) is a row
    of tokens (1, N, C) there, which begins with the class token's position.
    """
    found = {}
    for name, value in weights.items():
        theirs = name
        for pattern, replacement in _RULES:
            theirs = re.sub(pattern, replacement, theirs)
        if table := re.search(r'stages\.(\d)\.downsample\.position\.', name):
            theirs, value = f'pos_embed{table[1]}', value.flatten(1, 2)
            token = name.replace('position.table', 'cls_position')
            if token in weights:
                value = torch.cat([weights[token], value], dim=1)
        if not name.endswith('cls_position'):
            theirs = re.sub(
                r'^(patch_embed|block|pos_embed)(\d)',
                lambda at: f'{at[1]}{int(at[2]) + 1}',
                theirs,
            )
            found[theirs] = value
    return found


def saved(content: object) -> bytes:
    """What torch.save writes."""
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()
