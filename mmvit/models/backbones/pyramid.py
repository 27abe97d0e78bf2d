"""The skeleton of the hierarchical backbones."""

import itertools
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..layers import PatchEmbed, StochasticDepth, TransformerBlock
from .base import Backbone, channels_first, checkpointed, linear_rates

NUM_STAGES = 4


def doubling_arch(
    embed_dims: int, depths: tuple[int, ...], num_heads: int, **others: tuple
) -> dict[str, tuple]:
    """Build an arch whose width and heads double from stage to stage."""
    return dict(
        embed_dims=tuple(embed_dims * 2**i for i in range(NUM_STAGES)),
        depths=depths,
        num_heads=tuple(num_heads * 2**i for i in range(NUM_STAGES)),
        mlp_ratios=(4, 4, 4, 4),
        **others,
    )


class Stage(nn.Module):
    """Downsampling, then blocks with stochastic depth, maybe checkpointed.

    Shape: x (B, H, W, C_in) -> (B, H', W', C).
    """

    def __init__(
        self,
        downsample: nn.Module,
        blocks: Sequence[nn.Module],
        drop_path_rates: Sequence[float],
        with_cp: bool,
    ) -> None:
        super().__init__()
        self.downsample = downsample
        self.blocks = nn.ModuleList(blocks)
        self.drop_path = StochasticDepth(drop_path_rates)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        x = self.downsample(x)
        recompute = self.with_cp and torch.is_grad_enabled()
        run = checkpointed if recompute else nn.Module.__call__
        for block, factors in zip(self.blocks, self.drop_path(x)):
            x = run(block, x, *factors)
        return x


class PyramidBackbone(Backbone):
    """Four stages of maps at strides 4, 8, 16 and 32.

    A paper's backbone names its sizes in `arch_zoo`, builds the parts of a
    stage, and calls `build_stages` at the end of its constructor.

    Args:
        arch, kwargs: See `Backbone`.
        in_channels: Channels of the image.
        drop_rate: Dropout of embeddings, attention outputs and MLPs, where
            the backbone has them.
        attn_drop_rate: Dropout of attention weights.
        drop_path_rate: Stochastic depth of the last block; it grows linearly
            from 0 over the blocks of all stages.
        final_norm: Whether the map of the last stage is normalised, as
            classification needs it.
        out_indices: See `Backbone`. Stages after the last are not built.

    Shape: image (B, in_channels, H, W) -> a map (B, C_i, ceil(H / s_i),
        ceil(W / s_i)) for each of `out_indices`, s = 4, 8, 16, 32.
    """

    #: Epsilon of the LayerNorms of blocks and outputs.
    norm_eps = 1e-5
    num_outputs = NUM_STAGES

    def __init__(
        self,
        arch: str | dict,
        in_channels: int = 3,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        final_norm: bool = False,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        **kwargs,
    ) -> None:
        super().__init__(arch, out_indices=out_indices, **kwargs)
        stages = self.out_indices
        self.out_channels = tuple(self.embed_dims[stage] for stage in stages)
        self.out_strides = tuple(4 * 2**stage for stage in stages)
        self.depths = self.arch['depths']
        self.in_channels = in_channels
        self.drop_rate = drop_rate
        self.attn_drop_rate = attn_drop_rate
        self.drop_path_rates = linear_rates(drop_path_rate, sum(self.depths))
        self.final_norm = final_norm

    def build_stages(self) -> None:
        """Build all parts; a subclass calls it at the end of its __init__."""
        ends = list(itertools.accumulate(self.depths, initial=0))
        # Parameters of a stage that no output needs would get no gradient,
        # which stops distributed training.
        self.stages = nn.ModuleList(
            Stage(
                self.build_downsample(stage),
                [
                    self.build_block(stage, index)
                    for index in range(self.depths[stage])
                ],
                self.drop_path_rates[ends[stage] : ends[stage + 1]],
                self.with_cp,
            )
            for stage in range(self.out_indices[-1] + 1)
        )
        self.norms = nn.ModuleDict(
            {str(stage): self.build_norm(stage) for stage in self.out_indices}
        )
        self._freeze()

    @abstractmethod
    def build_downsample(self, stage: int) -> nn.Module:
        """Build what precedes a stage's blocks; stage 0 gets (B, H, W, 3)."""

    def build_block(self, stage: int, index: int) -> nn.Module:
        """Build block `index` of a stage; see `TransformerBlock`."""
        return TransformerBlock(
            self.embed_dims[stage],
            self.build_attention(stage, index),
            self.arch['mlp_ratios'][stage],
            self.drop_rate,
            self.norm_eps,
            **self.build_positions(stage, index),
        )

    def attn_args(self, stage: int) -> dict[str, float]:
        """Arguments that every attention of a stage gets."""
        return dict(
            embed_dims=self.embed_dims[stage],
            num_heads=self.arch['num_heads'][stage],
            attn_drop_rate=self.attn_drop_rate,
            drop_rate=self.drop_rate,
        )

    def build_attention(self, stage: int, index: int) -> nn.Module:
        """Build the attention of a block, if `build_block` is not replaced."""
        raise NotImplementedError

    def build_positions(self, stage: int, index: int) -> dict[str, nn.Module]:  # noqa: ARG002
        """Build the arguments `cpe` and `peg` of a `TransformerBlock`."""
        return {}

    def build_norm(self, stage: int) -> nn.Module:
        """Build the normalisation of a stage's output."""
        if self.final_norm and stage == NUM_STAGES - 1:
            return nn.LayerNorm(self.embed_dims[stage], eps=self.norm_eps)
        return nn.Identity()

    def widths(self, stage: int) -> tuple[int, int]:
        """Channels before and after the downsampling of a stage."""
        return (self.in_channels, *self.embed_dims)[stage : stage + 2]

    def overlapping_embed(
        self, stage: int, padding: int = 3, bias: bool = True
    ) -> PatchEmbed:
        """Build a patch embedding whose patches overlap.

        Its kernel is 7x7 with stride 4 in stage 0, where `padding` is that of
        the image, and 3x3 with stride 2 in the others.
        """
        sizes, padding = ((2, 3), 1) if stage else ((4, 7), padding)
        sizes = *self.widths(stage), *sizes, self.norm_eps
        return PatchEmbed(*sizes, padding=padding, bias=bias)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if any(side < 4 for side in x.shape[2:]):
            raise ValueError(
                f'an image of {x.shape[2]}x{x.shape[3]} pixels is smaller '
                'than a patch of 4x4: resize or pad it'
            )
        # (B, C, H, W) -> (B, H, W, C)
        x = x.permute(0, 2, 3, 1)
        outs = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.out_indices:
                outs.append(channels_first(self.norms[str(index)](x)))
        return tuple(outs)

    def frozen_modules(self) -> list[nn.Module]:
        return [self.stages[0].downsample, *self.stages[: self.frozen_stages]]

    def get_layer_depth(
        self, param_name: str, prefix: str = ''
    ) -> tuple[int, int]:
        """Depth of a parameter, for layer-wise learning rate decay.

        The first patch embedding has depth 0, block k (counted over all
        stages) k + 1. A downsampling has the depth of the block that follows
        it. The output norms have the last depth.

        Args:
            param_name: Name of the parameter, after `prefix`.

        Returns:
            The depth, and the number of depths.
        """
        num_layers = sum(self.depths) + 2
        parts = param_name.removeprefix(prefix).split('.')
        if parts[0] != 'stages':
            return num_layers - 1, num_layers
        stage, part = int(parts[1]), parts[2]
        first_block = sum(self.depths[:stage]) + 1
        if part == 'blocks':
            return first_block + int(parts[3]), num_layers
        return 0 if stage == 0 else first_block, num_layers
