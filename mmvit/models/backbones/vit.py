"""The single-resolution encoder of SETR: ViT, DeiT or BEiT.

`Vision Transformers: From Semantic Segmentation to Dense Prediction
<https://arxiv.org/abs/2207.09339>`_, Section 3.2 and Table 2. Differs from
the release, and from the libraries' VisionTransformer and BEiT:

- any input size: images are padded to a multiple of the patch, and absolute
  and relative position tables are resized from their own grid;
- layers after the last output are not built;
- no normalisation after the last layer: SETR's decoders begin with one.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mmvit.registry import MODELS

from ..layers import (
    AbsolutePositionEmbedding,
    Attention,
    ChannelsLastConv2d,
    ResizedTable,
    StochasticDepth,
    TransformerBlock,
    ceil_div,
    is_symbolic,
    spread_bias,
)
from .base import Backbone, channels_first, checkpointed, linear_rates


class RelativePositionTable(ResizedTable):
    """BEiT's position bias: a value for each head and offset.

    Section 2.5 of `BEiT <https://arxiv.org/abs/2106.08254>`_. Differs from
    the release: the table, of training maps of size `grid`, is resized by
    bicubic interpolation instead of a spline over offsets in geometric
    progression.

    Shape: size (H, W) -> (h, N, N); with a class token (h, 1 + N, 1 + N).
    """

    mode = 'bicubic'

    def __init__(
        self, grid: tuple[int, int], num_heads: int, with_cls_token: bool
    ) -> None:
        rows, columns = (2 * side - 1 for side in grid)
        super().__init__(1, rows, columns, num_heads)
        self.with_cls_token = with_cls_token
        if with_cls_token:
            # class token to map, map to class token, class token to itself
            self.cls_bias = nn.Parameter(torch.zeros(3, num_heads))

    def forward(self, size: tuple[int, int]) -> Tensor:
        rows, columns = (2 * side - 1 for side in size)
        # (1, 2H - 1, 2W - 1, h) -> (h, 2H - 1, 2W - 1)
        table = self.resize(self.table, (rows, columns))[0].permute(2, 0, 1)
        # Query (y, x) and key (y', x') have the entry (y + H - 1 - y',
        # x + W - 1 - x'): sliding windows of the table, flipped for the keys.
        if is_symbolic(*size):
            # A sliding window has a fixed size.
            places = (torch.arange(n, device=table.device) for n in size)
            rows, columns = (n[:, None] - n + n.shape[0] - 1 for n in places)
            bias = spread_bias(table, rows, columns).transpose(2, 3).flatten(2)
        else:
            bias = table.unfold(1, size[0], 1).unfold(2, size[1], 1)
            # (h, H, W, H, W) -> (h, N, N)
            bias = bias.flip(3, 4).flatten(3).flatten(1, 2)
        if not self.with_cls_token:
            return bias
        to_map, to_cls, own = self.cls_bias[..., None, None]
        bias = torch.cat([to_cls.expand(-1, bias.shape[1], -1), bias], dim=2)
        first = torch.cat([own, to_map.expand(-1, -1, bias.shape[1])], dim=2)
        return torch.cat([first, bias], dim=1)


class MultiHeadAttention(Attention):
    """Attention of all tokens to all tokens, Eq. 1 and 2.

    Shape: x (B, ..., C), a map or a row with a class token, and size (H, W)
        of the map, for the position bias -> the shape of x.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        position_bias: RelativePositionTable | None = None,
    ) -> None:
        super().__init__(embed_dims, num_heads)
        self.qkv = nn.Linear(embed_dims, 3 * embed_dims)
        self.position_bias = position_bias
        self.build_projection()

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        bias = self.position_bias(size) if self.position_bias else None
        return self.project(self.attend(q, k, v, bias))


@MODELS.register_module()
class SETRViT(Backbone):
    """T-Base and T-Large of SETR (Table 2).

    Args:
        arch, kwargs: See `Backbone`. `out_indices` counts layers from 0,
            the paper from 1.
        in_channels: Channels of the image.
        img_size: Side of the training crops, in pixels: the grid of the
            position tables. Images of other sizes are not resized.
        patch_size: Side of a patch, in pixels: the stride of all outputs.
        with_cls_token: Whether ViT's class token takes part in the layers.
            It is never returned.
        relative_position: Whether each layer has BEiT's relative position
            bias, instead of an embedding that is added to the patches.
        layer_scale: Initial LayerScale value, as in BEiT; None disables it.
        drop_path_rate: Stochastic depth of the last layer; it grows linearly
            from 0.

    Shape: image (B, in_channels, H, W) -> a map (B, C, ceil(H / patch_size),
        ceil(W / patch_size)) for each of `out_indices`.
    """

    arch_zoo: ClassVar[dict[str, dict]] = {
        'base': dict(embed_dims=768, depth=12, num_heads=12, mlp_ratio=4),
        'large': dict(embed_dims=1024, depth=24, num_heads=16, mlp_ratio=4),
    }

    def __init__(
        self,
        arch: str | dict = 'large',
        in_channels: int = 3,
        img_size: int = 768,
        patch_size: int = 16,
        with_cls_token: bool = True,
        relative_position: bool = False,
        layer_scale: float | None = None,
        drop_path_rate: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(arch, **kwargs)
        self.depth = self.out_indices[-1] + 1
        self.out_channels = (self.embed_dims,) * len(self.out_indices)
        self.out_strides = (patch_size,) * len(self.out_indices)
        self.patch_embed = ChannelsLastConv2d(
            in_channels, self.embed_dims, patch_size, patch_size
        )
        grid = (ceil_div(img_size, patch_size),) * 2
        self.with_cls_token = with_cls_token
        self._build_positions(None if relative_position else grid)
        rates = linear_rates(drop_path_rate, self.arch['depth'])
        # Frozen layers skip nothing.
        frozen = max(self.frozen_stages, 0)
        rates = [0.0] * frozen + rates[frozen:]
        self.drop_path = StochasticDepth(rates[: self.depth])
        heads = self.arch['num_heads']
        self.blocks = nn.ModuleList(
            TransformerBlock(
                self.embed_dims,
                MultiHeadAttention(
                    self.embed_dims,
                    heads,
                    RelativePositionTable(grid, heads, with_cls_token)
                    if relative_position
                    else None,
                ),
                self.arch['mlp_ratio'],
                norm_eps=1e-6,
                layer_scale=layer_scale,
            )
            for _ in range(self.depth)
        )
        self._freeze()

    def _build_positions(self, grid: tuple[int, int] | None) -> None:
        """Build the class token and, for a grid, the absolute positions."""
        self.position = nn.Identity()
        if grid:
            self.position = AbsolutePositionEmbedding(grid, self.embed_dims)
        if not self.with_cls_token:
            return
        self.cls_token = nn.Parameter(torch.zeros(1, 1, self.embed_dims))
        nn.init.normal_(self.cls_token, std=0.02)
        self.cls_position = None
        if grid:
            self.cls_position = nn.Parameter(torch.zeros_like(self.cls_token))
            nn.init.normal_(self.cls_position, std=0.02)

    @property
    def num_outputs(self) -> int:
        return self.arch['depth']

    def _embed(self, x: Tensor) -> Tensor:
        x = self.position(x)
        if not self.with_cls_token:
            return x
        token = self.cls_token
        if self.cls_position is not None:
            token = token + self.cls_position
        # (B, H, W, C) -> (B, 1, 1 + N, C)
        token = token.expand(x.shape[0], -1, -1)
        x = torch.cat([token, x.flatten(1, 2)], dim=1)
        return x.unsqueeze(1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        # (B, C, H, W) -> (B, H, W, C)
        x = self.patch_embed(x.permute(0, 2, 3, 1))
        size = x.shape[1:3]
        x = self._embed(x)
        recompute = self.with_cp and torch.is_grad_enabled()
        run = checkpointed if recompute else nn.Module.__call__
        outs = []
        for index, factors in enumerate(self.drop_path(x)):
            x = run(self.blocks[index], x, *factors, size)
            if index in self.out_indices:
                out = x
                if self.with_cls_token:
                    # (B, 1, 1 + N, C) -> (B, H, W, C)
                    out = x[:, 0, 1:].unflatten(1, size)
                outs.append(channels_first(out))
        return tuple(outs)

    def frozen_modules(self) -> list[nn.Module]:
        return [
            self.patch_embed,
            self.position,
            *self.blocks[: self.frozen_stages],
        ]

    def get_layer_depth(
        self, param_name: str, prefix: str = ''
    ) -> tuple[int, int]:
        """As that of `PyramidBackbone`; layer k has the depth k + 1."""
        parts = param_name.removeprefix(prefix).split('.')
        is_block = parts[0] == 'blocks'
        return int(parts[1]) + 1 if is_block else 0, self.depth + 2
