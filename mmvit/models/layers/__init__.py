# ruff: noqa: F401
"""Parts that more than one network uses.

Every layer takes and returns maps of shape (B, H, W, C). The letters in
shapes are the same in all files:

    B   images in the batch             h    heads
    H   height of the map, in tokens    d    channels of one head, C / h
    W   width of the map, in tokens     N    tokens of a map, H * W
    C   channels                        Nk   keys
    w   side of a window, in tokens     nW   windows of a map
"""

from .attention import Attention, merge_heads, split_heads
from .block import Mlp, StochasticDepth, TransformerBlock, add_branch
from .conv import ChannelsLastConv2d, ConvNorm, DepthwiseConv
from .local_global import (
    FullAttention,
    LocalGlobalAttention,
    LocalGlobalLayer,
    RasterBiasAttention,
)
from .patch_embed import PatchEmbed
from .position_bias import DynamicPositionBias, spread_bias
from .position_tables import AbsolutePositionEmbedding, ResizedTable
from .sizes import (
    MASKED,
    cached_by_size,
    ceil_div,
    contiguous,
    in_order,
    is_symbolic,
    mergeable,
    must_pad,
    padding_bias,
    take,
)
from .windows import WindowGrid
