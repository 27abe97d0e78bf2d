"""Names of the published ImageNet weights of ScalableViT."""

from torch import Tensor

from .renaming import (
    Conversion,
    StateDict,
    convert_by,
    pyramid_size,
    rename,
    without_prefix,
)

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

_SIZES = {
    (64, (2, 2, 20, 2)): 's',
    (96, (2, 2, 14, 6)): 'b',
    (128, (2, 6, 12, 4)): 'l',
}


def _place(key: str, value: Tensor) -> StateDict:
    name = rename(key, _RULES)
    if '.attn.kv.' in name:
        k, v = value.chunk(2)
        return {name.replace('.kv.', '.k.'): k, name.replace('.kv.', '.v.'): v}
    if name.endswith('.attn.reduction.1.weight'):
        # A 1x1 convolution there, a linear layer here
        value = value.flatten(1)
    return {name: value}


def convert(state_dict: StateDict) -> Conversion:
    """Convert published ScalableViT weights."""
    done = convert_by(_place, without_prefix(state_dict, 'backbone.'))
    size = _SIZES.get(pyramid_size(done.weights))
    if size:
        done.config = (
            f'configs/scalablevit/scalablevit-{size}_8xb128-300e_in1k.py'
        )
    return done
