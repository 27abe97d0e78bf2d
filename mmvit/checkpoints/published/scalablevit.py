"""Names of the published ImageNet weights of ScalableViT."""

from torch import Tensor

from .renaming import StateDict, convert_by, rename

_STAGE, _BLOCK = r'backbone.stages.\1', r'backbone.stages.\1.blocks.\2'
_THEIRS = r'stages\.(\d)\.(\d+)\.'
_RULES = [
    (r'patch_embeds\.(\d)\.proj\.', f'{_STAGE}.downsample.projection.'),
    (r'patch_embeds\.(\d)\.norm\.', f'{_STAGE}.downsample.norm.'),
    (r'pos_block\.(\d)\.proj\.0\.', f'{_STAGE}.blocks.0.peg.'),
    (rf'{_THEIRS}attn\.lim_func\.', f'{_BLOCK}.attn.mixing.'),
    (rf'{_THEIRS}attn\.norm_act\.0\.', f'{_BLOCK}.attn.reduction.2.'),
    (_THEIRS, f'{_BLOCK}.'),
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.0\.', 'head.layers.0.fc.'),
    (r'head\.1\.', 'head.layers.0.norm.'),
    (r'head\.3\.', 'head.layers.1.fc.'),
]


def _place(key: str, value: Tensor) -> StateDict:
    name = rename(key, _RULES)
    if '.attn.kv.' in name:
        k, v = value.chunk(2)
        return {name.replace('.kv.', '.k.'): k, name.replace('.kv.', '.v.'): v}
    if name.endswith('.attn.reduction.1.weight'):
        # A 1x1 convolution there, a linear layer here
        value = value.flatten(1)
    return {name: value}


def convert(state_dict: StateDict) -> tuple[StateDict, list[str]]:
    """Convert published ScalableViT weights."""
    return convert_by(_place, state_dict)
