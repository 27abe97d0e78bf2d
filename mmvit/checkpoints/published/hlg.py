"""Names of the published ImageNet weights of HLG.

The published code does not run, so these are the names that its modules have
by their attributes.
"""

import re

from torch import Tensor

from .renaming import (
    Conversion,
    StateDict,
    convert_by,
    fold_biases,
    pyramid_size,
    rename,
    without_prefix,
)

# Parts of a local attention in stage 4, which the published code never calls
_UNUSED = re.compile(
    r'block4\.\d+\.(spatial_smooth|norm0|h0_norm|aux_q|pos_local)\.'
)
_RULES = [
    (r's0_conv\.(\d)\.', r'backbone.stages.0.downsample.\1.'),
    (r'norm\.', 'backbone.norms.3.'),
    (r'head\.', 'head.fc.'),
    *(
        (rf'block{n}\.', f'backbone.stages.{n - 1}.blocks.')
        for n in range(1, 5)
    ),
]
# What follows the block's number, in stages 1 to 3
_PARTS = [
    (r'down_proj\.proj\.', 'shortcut.'),
    (r'mlp\.fc1\.', 'mlp.fc1.conv.'),
    (r'mlp\.norm1\.', 'mlp.fc1.norm.'),
    (r'mlp\.fc2\.', 'mlp.mixing.conv.'),
    (r'mlp\.norm2\.', 'mlp.mixing.norm.'),
    (r'mlp\.fc3\.', 'mlp.fc2.'),
    (r'spatial_smooth\.0\.([01])\.', r'attn.bottleneck.layers.0.\1.'),
    (r'spatial_smooth\.0\.3\.', 'attn.bottleneck.layers.1.0.'),
    (r'spatial_smooth\.0\.4\.', 'attn.bottleneck.layers.1.1.'),
    (r'spatial_smooth\.0\.6\.', 'attn.bottleneck.layers.2.0.'),
    (r'spatial_smooth\.0\.7\.', 'attn.bottleneck.layers.2.1.'),
    (r'norm0\.', 'attn.norm1.'),
    (r'norm1\.', 'attn.norm2.'),
    (r'norm2\.', 'norm.'),
    (r'h0_norm\.', 'attn.norm3.'),
    (r'h0_conv\.', 'attn.embedding.conv.'),
    (r'aux_q\.', 'attn.query_conv.'),
    (r'([qkv])\.', r'attn.\1.'),
    (r'global_attn\.proj\.', 'attn.proj.'),
    (r'pos_(local|global)\.pos_proj\.', r'attn.\1_bias.layers.0.'),
    (r'pos_(local|global)\.pos1\.0\.', r'attn.\1_bias.layers.1.'),
    (r'pos_(local|global)\.pos1\.2\.', r'attn.\1_bias.layers.3.'),
    (r'pos_(local|global)\.pos2\.0\.', r'attn.\1_bias.layers.4.'),
    (r'pos_(local|global)\.pos2\.2\.', r'attn.\1_bias.layers.6.'),
    (r'pos_(local|global)\.pos3\.0\.', r'attn.\1_bias.layers.7.'),
    (r'pos_(local|global)\.pos3\.2\.', r'attn.\1_bias.layers.9.'),
]
# In stage 4, norm1 follows the only attention.
_LAST_PARTS = [(r'norm1\.', 'attn.norm.'), *_PARTS]
_SIZES = {64: 't', 96: 's', 128: 'l'}
# Depth of stage 3 of medium and large in the paper's own counts; the released
# classification code has 14.
_PAPER_DEPTH = 18
# Parts that have names here, and numbers in a published nn.Sequential
_CONV_NORM = (
    r'(downsample\.\d|shortcut|bottleneck\.layers\.\d)\.({})\.(?=\w+$)'
)


def _place(key: str, value: Tensor) -> StateDict:
    if _UNUSED.match(key):
        return {}
    if found := re.match(r'(block(\d)\.\d+\.)(.+)', key):
        block, stage, part = found.groups()
        key = block + rename(part, _LAST_PARTS if stage == '4' else _PARTS)
    name = rename(key, _RULES)
    name = re.sub(_CONV_NORM.format('0'), r'\1.conv.', name)
    name = re.sub(_CONV_NORM.format('1'), r'\1.norm.', name)
    return {name: value}


def convert(state_dict: StateDict) -> Conversion:
    """Convert published HLG weights.

    The published classification code and dense code differ in the hidden
    width of MLPs that halve a map, and in the depth of medium and large. The
    shapes tell which one a file is of; the configs are for the former.
    """
    state_dict = without_prefix(state_dict, 'backbone.')
    done = convert_by(_place, state_dict)
    fold_biases(done.weights, 'conv', 'norm')
    dims, depths = pyramid_size(done.weights)
    hidden = state_dict.get('block2.0.mlp.fc1.weight')
    if dims not in _SIZES or len(depths) != 4 or hidden is None:
        return done
    size = _SIZES[dims]
    if size == 's' and depths[2] > 6:
        size = 'm'
    done.config = f'configs/hlg/hlg-{size}-released_8xb128-300e_in1k.py'
    if size in 'ml' and depths[2] == _PAPER_DEPTH:
        arch = dict(m='medium', l='large')[size]
        done.options.append(f'model.backbone.arch={arch}')
    if len(hidden) == 4 * dims:
        done.options.append('model.backbone.mlp_width=input')
    return done
