"""Names of the encoders that SETR starts from: ViT, DeiT and BEiT.

timm's names, which the authors of DeiT and BEiT have too, and those of
Hugging Face's transformers.
"""

import re
from functools import partial

import torch
from torch import Tensor

from .renaming import Conversion, Rules, StateDict, convert_by, rename

_BLOCK = r'backbone.blocks.\1'
_PARTS = r'norm\d|attn\.qkv|attn\.proj|mlp\.fc\d'
TIMM_RULES: Rules = [
    (r'patch_embed\.proj\.', 'backbone.patch_embed.'),
    (r'blocks\.(\d+)\.gamma_(\d)$', rf'{_BLOCK}.scale\2.factor'),
    (r'blocks\.(\d+)\.ls(\d)\.gamma$', rf'{_BLOCK}.scale\2.factor'),
    (rf'blocks\.(\d+)\.({_PARTS})\.(?=\w+$)', rf'{_BLOCK}.\2.'),
    (r'cls_token$', 'backbone.cls_token'),
]
# What a segmentor does not need: classifiers, the normalization before them,
# DeiT's second token, the mask of BEiT's pre-training and computed indices
_DROPPED = re.compile(
    r'head\.|head_dist\.|pre_logits\.|norm\.|fc_norm\.|dist_token$'
    r'|mask_token$|lm_head\.|(.*\.)?relative_position_index$'
)
_BEIT_TABLE = re.compile(r'blocks\.(\d+)\.attn\.relative_position_bias_table')
# Joined with those of the queries
_BEIT_BIAS = re.compile(r'blocks\.\d+\.attn\.[qkv]_bias$')
_LAYER, _TIMM_BLOCK = r'encoder\.layer\.(\d+)\.', r'blocks.\1'
# From Hugging Face's names to timm's
_HF_RULES: Rules = [
    (r'embeddings\.cls_token$', 'cls_token'),
    (r'embeddings\.distillation_token$', 'dist_token'),
    (r'embeddings\.mask_token$', 'mask_token'),
    (r'embeddings\.position_embeddings$', 'pos_embed'),
    (r'embeddings\.patch_embeddings\.projection\.', 'patch_embed.proj.'),
    (rf'{_LAYER}layernorm_before\.', rf'{_TIMM_BLOCK}.norm1.'),
    (rf'{_LAYER}layernorm_after\.', rf'{_TIMM_BLOCK}.norm2.'),
    (
        rf'{_LAYER}attention\.attention\.relative_position_bias\.',
        rf'{_TIMM_BLOCK}.attn.',
    ),
    (rf'{_LAYER}attention\.attention\.', rf'{_TIMM_BLOCK}.attn.'),
    (rf'{_LAYER}attention\.output\.dense\.', rf'{_TIMM_BLOCK}.attn.proj.'),
    (rf'{_LAYER}intermediate\.dense\.', rf'{_TIMM_BLOCK}.mlp.fc1.'),
    (rf'{_LAYER}output\.dense\.', rf'{_TIMM_BLOCK}.mlp.fc2.'),
    (rf'{_LAYER}lambda_([12])$', rf'{_TIMM_BLOCK}.gamma_\2'),
    (r'encoder\.relative_position_bias\.', 'rel_pos_bias.'),
    (r'layernorm\.', 'norm.'),
    (r'pooler\.', 'fc_norm.'),
    (r'(cls_|distillation_)?classifier\.', 'head.'),
    (r'lm_head\.', 'lm_head.'),
]
_CONFIGS = {
    ('vit', 768): 'setr-*_vit-b_*',
    ('vit', 1024): 'setr-*_vit-l_*',
    ('deit', 768): 'setr-*_deit-b_*',
    ('beit', 1024): 'setr-*_beit-l_*',
}


def place_positions(value: Tensor, with_cls: bool) -> StateDict:
    """Part a row of positions into those of the class token and the map.

    The second token of DeiT is left out.

    Shape: value (1, 1 + N, C) -> (1, 1, C) and (1, H, W, C).
    """
    side = int(value.shape[1] ** 0.5)
    extra = value.shape[1] - side**2
    table = value[:, extra:].unflatten(1, (side, side))
    placed = {'backbone.position.table': table}
    if with_cls and extra:
        placed['backbone.cls_position'] = value[:, :1]
    return placed


def _biases(table: Tensor, block: int) -> StateDict:
    """Part BEiT's rows ((2s - 1)^2 + 3, h) into map and class token."""
    side = int((len(table) - 3) ** 0.5)
    name = f'backbone.blocks.{block}.attn.position_bias'
    return {
        f'{name}.table': table[:-3].unflatten(0, (side, side))[None],
        f'{name}.cls_bias': table[-3:],
    }


def _place(depth: int, key: str, value: Tensor) -> StateDict:
    if key == 'pos_embed':
        return place_positions(value, with_cls=True)
    if key == 'rel_pos_bias.relative_position_bias_table':
        # One table for all blocks
        placed = {}
        for block in range(depth):
            placed |= _biases(value, block)
        return placed
    if table := _BEIT_TABLE.fullmatch(key):
        return _biases(value, int(table[1]))
    if _DROPPED.match(key) or _BEIT_BIAS.match(key):
        return {}
    return {rename(key, TIMM_RULES): value}


def convert_encoder(state_dict: StateDict) -> Conversion:
    """Convert a ViT, DeiT or BEiT to the encoder of our segmentors."""
    is_theirs = any('embeddings.patch_embeddings.' in k for k in state_dict)
    if is_theirs:
        state_dict, unknown = _to_timm(state_dict)
    else:
        unknown = []
    blocks = (re.match(r'blocks\.(\d+)\.', key) for key in state_dict)
    depth = 1 + max((int(found[1]) for found in blocks if found), default=-1)
    done = convert_by(partial(_place, depth), state_dict)
    done.unknown += unknown
    for block in range(depth):
        q = state_dict.get(f'blocks.{block}.attn.q_bias')
        v = state_dict.get(f'blocks.{block}.attn.v_bias')
        if q is not None and v is not None:
            # BEiT's keys have no bias, which would not change anything.
            name = f'backbone.blocks.{block}.attn.qkv.bias'
            done.weights[name] = torch.cat([q, torch.zeros_like(q), v])
    done.left_out = [k for k in done.left_out if not _BEIT_BIAS.match(k)]
    _describe(done, state_dict)
    return done


def _describe(done: Conversion, state_dict: StateDict) -> None:
    kind = 'vit' if 'pos_embed' in state_dict else 'beit'
    if 'dist_token' in state_dict:
        kind = 'deit'
    done.task = 'encoder of SETR'
    token = state_dict.get('cls_token')
    name = _CONFIGS.get((kind, 0 if token is None else token.shape[-1]))
    if name:
        done.config = f'configs/setr/{name}.py'


def _to_timm(state_dict: StateDict) -> tuple[StateDict, list[str]]:
    """Give timm's names to weights of Hugging Face's transformers.

    Returns:
        timm's names to tensors, and the names that are not known.
    """
    renamed, unknown = {}, []
    for key, value in state_dict.items():
        try:
            name = rename(re.sub(r'^(vit|deit|beit)\.', '', key), _HF_RULES)
        except KeyError:
            unknown.append(key)
        else:
            renamed[name] = value
    for query in [n for n in renamed if n.endswith('.attn.query.weight')]:
        attn = query.removesuffix('query.weight')
        _join(renamed, attn)
    return renamed, unknown


def _join(weights: StateDict, attn: str) -> None:
    """Join query, key and value of one attention, as timm has them."""
    parts = ('query', 'key', 'value')
    weights[f'{attn}qkv.weight'] = torch.cat(
        [weights.pop(f'{attn}{part}.weight') for part in parts]
    )
    biases = [weights.pop(f'{attn}{part}.bias', None) for part in parts]
    if biases[1] is not None:
        weights[f'{attn}qkv.bias'] = torch.cat(biases)
    elif biases[0] is not None:
        # BEiT's keys have no bias.
        weights[f'{attn}q_bias'], _, weights[f'{attn}v_bias'] = biases
