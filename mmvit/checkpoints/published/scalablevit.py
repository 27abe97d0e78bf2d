"""Names of the published ImageNet weights of ScalableViT."""

import re

from torch import Tensor

from .renaming import rename

_BLOCK = r'backbone.stages.\1.blocks.\2'
_RULES = [
    (
        r'patch_embeds\.(\d)\.proj\.',
        r'backbone.stages.\1.downsample.projection.',
    ),
    (r'patch_embeds\.(\d)\.norm\.', r'backbone.stages.\1.downsample.norm.'),
    (r'pos_block\.(\d)\.proj\.0\.', r'backbone.stages.\1.blocks.0.peg.'),
    (r'stages\.(\d)\.(\d+)\.attn\.lim_func\.', f'{_BLOCK}.attn.mixing.'),
    (
        r'stages\.(\d)\.(\d+)\.attn\.norm_act\.0\.',
        f'{_BLOCK}.attn.reduction.2.',
    ),
    (r'stages\.(\d)\.(\d+)\.', f'{_BLOCK}.'),
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.0\.', 'head.layers.0.fc.'),
    (r'head\.1\.', 'head.layers.0.norm.'),
    (r'head\.3\.', 'head.layers.1.fc.'),
]


def convert(
    state_dict: dict[str, Tensor],
) -> tuple[dict[str, Tensor], list[str]]:
    """Convert published ScalableViT weights to our ImageNet classifier's.

    Args:
        state_dict: Published names to tensors.

    Returns:
        Our names to tensors, and the published names without a place.
    """
    converted, unplaced = {}, []
    for key, value in state_dict.items():
        name = rename(key, _RULES)
        if name is None:
            unplaced.append(key)
        elif '.attn.kv.' in name:
            k, v = value.chunk(2)
            converted[name.replace('.kv.', '.k.')] = k
            converted[name.replace('.kv.', '.v.')] = v
        elif re.search(r'\.attn\.reduction\.1\.weight$', name):
            # A 1x1 convolution there, a linear layer here.
            converted[name] = value.flatten(1)
        else:
            converted[name] = value
    return converted, unplaced
