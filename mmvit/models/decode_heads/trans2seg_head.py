"""Trans2Seg's head, which PVT's Table 7 combines with a PVT.

`Segmenting Transparent Object in the Wild with Transformer
<https://arxiv.org/abs/2101.08461>`_, Section 3. Differs from the release:

- any input size: the MLP over the positions of an attention map, which the
  release ties to one size, works on maps resized to its grid;
- each decoder layer adds its attention maps to those of the previous layer.
  The release uses only those of the last layer, which leaves many of its
  parameters without a gradient. Parts of the last layer that could not
  reach the output are not built.
"""

from functools import partial

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmengine.model import BaseModule
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import AbsolutePositionEmbedding, Mlp, merge_heads, split_heads


class CategoryDecoderLayer(BaseModule):
    """Cross-attention of category embeddings; its logits become mask features.

    Args:
        num_heads: Heads h; each gives a map for each category.
        grid: (H0, W0) of the maps that the MLP over positions reads.
        mlp_ratio: Hidden features of the MLPs as a multiple of their input.
        is_last: Whether only the maps are needed, since no layer follows.

    Shape: query (B, K, C), tokens (B, H, W, C), maps (B, h, K, H, W) or None
        -> the same three.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        grid: tuple[int, int],
        mlp_ratio: float = 3.0,
        is_last: bool = False,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.grid = tuple(grid)
        self.is_last = is_last
        positions = grid[0] * grid[1]
        self.norm_query = nn.LayerNorm(embed_dims)
        self.norm_tokens = nn.LayerNorm(embed_dims)
        self.q = nn.Linear(embed_dims, embed_dims, bias=False)
        self.k = nn.Linear(embed_dims, embed_dims, bias=False)
        self.norm_maps = nn.LayerNorm(positions)
        self.mlp_maps = Mlp(positions, mlp_ratio)
        if not is_last:
            self.v = nn.Linear(embed_dims, embed_dims, bias=False)
            self.proj = nn.Linear(embed_dims, embed_dims)
            self.norm1 = nn.LayerNorm(embed_dims)
            self.mlp_query = Mlp(embed_dims, mlp_ratio)
            self.norm2 = nn.LayerNorm(embed_dims)
            self.mlp_tokens = Mlp(embed_dims, mlp_ratio)

    def _refine(self, maps: Tensor) -> Tensor:
        # (B, h, K, H, W) -> (B * h, K, H0, W0)
        fitted = resize(maps.flatten(0, 1), self.grid, mode='bilinear')
        change = self.mlp_maps(self.norm_maps(fitted.flatten(2)))
        change = resize(
            change.unflatten(2, self.grid), maps.shape[-2:], mode='bilinear'
        )
        return maps + change.view_as(maps)

    def forward(
        self, query: Tensor, tokens: Tensor, maps: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        normed = self.norm_tokens(tokens)
        # (B, K, C) -> (B, h, K, d); (B, H, W, C) -> (B, h, H * W, d)
        q = split_heads(self.q(self.norm_query(query)), self.num_heads)
        k = split_heads(self.k(normed), self.num_heads)
        # (B, h, K, H * W) -> (B, h, K, H, W)
        logits = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        logits = logits.unflatten(-1, tokens.shape[1:3])
        maps = self._refine(logits if maps is None else maps + logits)
        if not self.is_last:
            v = split_heads(self.v(normed), self.num_heads)
            out = F.scaled_dot_product_attention(q, k, v)
            query = query + self.proj(merge_heads(out, query.shape[1:2]))
            query = query + self.mlp_query(self.norm1(query))
            tokens = tokens + self.mlp_tokens(self.norm2(tokens))
        return query, tokens, maps


@MODELS.register_module()
class Trans2SegHead(BaseDecodeHead):
    """A transformer whose queries are the categories.

    An encoder reads the coarse map; the queries of a decoder, one learned
    embedding per category, attend to it. The attention maps of a category
    and the encoded map become its mask, to which the fine map is added
    before the last convolution. All categories share the convolutions.

    Args:
        channels: Channels of the masks' convolutions.
        embed_dims: Channels C of the transformer.
        num_layers: Layers of the encoder, and of the decoder.
        num_heads: Heads h of both.
        grid: (H0, W0) of the coarse map in training, to which positions and
            attention maps of other sizes are resized.
        in_index: Indices of the fine and of the coarse map.
        **kwargs: Further arguments of mmseg's BaseDecodeHead.

    Shape: inputs, of which `in_index` names (B, in_channels[0], H, W) and
        (B, in_channels[1], H', W') -> logits (B, num_classes, H, W).
    """

    def __init__(
        self,
        in_channels: tuple[int, int],
        channels: int = 64,
        embed_dims: int = 256,
        num_layers: int = 4,
        num_heads: int = 8,
        grid: tuple[int, int] = (16, 16),
        in_index: tuple[int, int] = (0, 3),
        **kwargs,
    ) -> None:
        if len(in_index) != 2 or len(in_channels) != 2:
            raise ValueError(
                f'in_index {in_index!r} and in_channels {in_channels!r}: '
                'name a fine and a coarse map'
            )
        if embed_dims % num_heads:
            raise ValueError(
                f'embed_dims {embed_dims} must be a multiple of num_heads '
                f'{num_heads}'
            )
        super().__init__(
            in_channels,
            channels,
            in_index=in_index,
            input_transform='multiple_select',
            **kwargs,
        )
        # One classifier for the masks of all categories.
        self.conv_seg = nn.Conv2d(channels, 1, 1)
        self.embed = nn.Linear(in_channels[1], embed_dims)
        self.position = AbsolutePositionEmbedding(grid, embed_dims)
        self._build_encoder(embed_dims, num_layers, num_heads)
        categories = torch.zeros(1, self.num_classes, embed_dims)
        self.categories = nn.Parameter(categories)
        build = partial(CategoryDecoderLayer, embed_dims, num_heads, grid)
        self.decoder = nn.ModuleList(build() for _ in range(num_layers - 1))
        self.decoder.append(build(is_last=True))
        self._build_masks(embed_dims + num_heads)

    def _build_encoder(self, dims: int, layers: int, heads: int) -> None:
        layer = nn.TransformerEncoderLayer(
            dims,
            heads,
            3 * dims,
            dropout=0.0,
            activation='gelu',
            batch_first=True,
            norm_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(dims), enable_nested_tensor=False
        )

    def _build_masks(self, dims: int) -> None:
        width = self.channels
        cfg = dict(norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.fine = ConvModule(self.in_channels[0], width, 1, **cfg)
        conv = partial(
            DepthwiseSeparableConvModule, kernel_size=3, padding=1, **cfg
        )
        self.masks = nn.Sequential(conv(dims, width), conv(width, width))
        self.fuse = conv(width, width)

    def init_weights(self) -> None:
        """Draw linear layers and embeddings as the backbones do."""
        super().init_weights()
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.categories, std=0.02)
        for layer in self.decoder:
            # Only their products tell the masks of categories apart. As small
            # as the others, they would vanish beside the map that all share.
            nn.init.xavier_uniform_(layer.q.weight)
            nn.init.xavier_uniform_(layer.k.weight)

    def _decode(self, tokens: Tensor) -> Tensor:
        """Shape: tokens (B, H, W, C) -> maps (B, K, h, H, W)."""
        query, maps = self.categories.expand(tokens.shape[0], -1, -1), None
        for index, layer in enumerate(self.decoder):
            if index:
                query = query + self.categories
            query, tokens, maps = layer(query, tokens, maps)
        return maps.transpose(1, 2)

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:
        fine, coarse = self._transform_inputs(inputs)
        # (B, C', H', W') -> (B, H', W', C)
        tokens = self.position(self.embed(coarse.permute(0, 2, 3, 1)))
        size = tokens.shape[1:3]
        tokens = self.encoder(tokens.flatten(1, 2)).unflatten(1, size)
        maps = self._decode(tokens)
        # Concatenate the encoded map with the maps of each category:
        # -> (B, K, C, H', W') -> (B * K, C + h, H', W')
        shared = tokens.permute(0, 3, 1, 2)[:, None]
        shared = shared.expand(-1, self.num_classes, -1, -1, -1)
        x = self.masks(torch.cat([shared, maps], 2).flatten(0, 1))
        align = self.align_corners
        x = resize(x, fine.shape[2:], mode='bilinear', align_corners=align)
        # -> (B, K, channels, H, W), plus the fine map for all categories
        x = x.unflatten(0, (-1, self.num_classes)) + self.fine(fine)[:, None]
        x = self.cls_seg(self.fuse(x.flatten(0, 1)))
        # (B * K, 1, H, W) -> (B, K, H, W)
        return x.view(fine.shape[0], self.num_classes, *fine.shape[2:])
