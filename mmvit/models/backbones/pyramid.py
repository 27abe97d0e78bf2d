"""The skeleton of the hierarchical backbones."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import ClassVar

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmvit.checkpoints import load_pretrained

NUM_STAGES = 4


def resolve_arch(
    arch: str | dict,
    zoo: dict[str, dict],
    num_values: int | None = NUM_STAGES,
) -> dict:
    """Look up a size by name, or check a dictionary of one's own.

    Args:
        arch: A name in `zoo`, or a dictionary with the keys of its entries.
        zoo: The sizes of the paper.
        num_values: Values of each entry, one a stage; None where an entry is
            a single number.

    Raises:
        ValueError: If the name or the keys are wrong; lists the right ones.
    """
    if isinstance(arch, str):
        if arch not in zoo:
            raise ValueError(
                f'unknown arch {arch!r}: choose one of '
                f'{", ".join(zoo)}, or give a dict'
            )
        return zoo[arch]
    keys = set(next(iter(zoo.values())))
    if set(arch) != keys:
        raise ValueError(
            f'an arch dict has the keys {sorted(keys)}; missing: '
            f'{sorted(keys - set(arch))}, unknown: {sorted(set(arch) - keys)}'
        )
    for key, value in arch.items():
        if num_values is not None and len(value) != num_values:
            raise ValueError(
                f'arch[{key!r}] needs a value for each of the '
                f'{num_values} stages, not {value!r}'
            )
    return arch


@contextmanager
def _kept_statistics(module: nn.Module) -> Iterator[None]:
    """Run a module without a change of its running statistics."""
    norms = [
        child for child in module.modules() if isinstance(child, _BatchNorm)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum


def run_again_in_backward(module: nn.Module, x: Tensor) -> Tensor:
    """Compute a module's activations again when gradients need them.

    The second run leaves the running statistics of batch normalisation
    alone, which the first has updated.

    Shape: as the module.
    """
    return checkpoint(
        module,
        x,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _kept_statistics(module)),
    )


class Stage(nn.Module):
    """Downsampling, then blocks.

    Shape: x (B, H, W, C_in) -> (B, H', W', C).
    """

    def __init__(
        self, downsample: nn.Module, blocks: Sequence[nn.Module], with_cp: bool
    ) -> None:
        super().__init__()
        self.downsample = downsample
        self.blocks = nn.ModuleList(blocks)
        self.with_cp = with_cp

    def forward(self, x: Tensor) -> Tensor:
        x = self.downsample(x)
        for block in self.blocks:
            if self.with_cp and torch.is_grad_enabled():
                x = run_again_in_backward(block, x)
            else:
                x = block(x)
        return x


def channels_first(x: Tensor) -> Tensor:
    """Turn a map (B, H, W, C) into (B, C, H, W), in memory too.

    Convolutions hand on the order of their input in memory, and mmcv's
    RoIAlign takes the values of any other order for those of other pixels.
    """
    return x.permute(0, 3, 1, 2).contiguous()


class PretrainedBackbone(BaseModule):
    """Draws its weights as the papers do, or loads and checks a file.

    Args:
        init_cfg: `dict(type='Pretrained', checkpoint=..., prefix=...)` loads
            weights. A file that does not fit raises ValueError.
    """

    def init_weights(self) -> None:
        """Draw the weights, then load those of a `Pretrained` init_cfg.

        Linear layers are drawn from a normal distribution of deviation 0.02,
        truncated, as all the papers do.

        Raises:
            ValueError: If a pre-trained file does not fit.
        """
        given = self.init_cfg or []
        given = [given] if isinstance(given, dict) else list(given)
        pretrained = [cfg for cfg in given if cfg['type'] == 'Pretrained']
        self.init_cfg = [
            dict(type='TruncNormal', layer='Linear', std=0.02, bias=0.0),
            *(cfg for cfg in given if cfg not in pretrained),
        ]
        super().init_weights()
        self.init_cfg = given
        for cfg in pretrained:
            load_pretrained(
                self,
                **{
                    key: cfg[key]
                    for key in ('checkpoint', 'prefix', 'min_matched')
                    if key in cfg
                },
            )


class PyramidBackbone(PretrainedBackbone, metaclass=ABCMeta):
    """Four stages of maps at strides 4, 8, 16 and 32.

    A paper's backbone names its sizes in `arch_zoo` and builds the parts of a
    stage; stages, stochastic depth, outputs, freezing, activation
    checkpointing and the one forward are here.

    Args:
        arch: A name in `arch_zoo`, or a dict with the keys of its entries.
        drop_path_rate: Stochastic depth of the last block; it grows linearly
            from 0 over all blocks of all stages.
        out_indices: Stages whose maps are returned.
        frozen_stages: How much is frozen: -1 nothing, 0 the first patch
            embedding, k that and the first k stages.
        with_cp: Whether blocks are checkpointed: their activations are
            computed again in the backward pass, which saves memory.
        init_cfg: See `PretrainedBackbone`.

    Shape: image (B, in_channels, H, W) -> a map (B, C_i, ceil(H / s_i),
        ceil(W / s_i)) for each of `out_indices`, s = 4, 8, 16, 32.
    """

    arch_zoo: ClassVar[dict[str, dict]]

    def __init__(
        self,
        arch: str | dict,
        drop_path_rate: float,
        out_indices: Sequence[int],
        frozen_stages: int,
        with_cp: bool,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.arch = resolve_arch(arch, self.arch_zoo)
        self.embed_dims = self.arch['embed_dims']
        self.depths = self.arch['depths']
        if not out_indices or not set(out_indices) <= set(range(NUM_STAGES)):
            raise ValueError(
                f'out_indices {out_indices!r}: name stages '
                f'0 to {NUM_STAGES - 1}'
            )
        if not -1 <= frozen_stages <= NUM_STAGES:
            raise ValueError(
                f'frozen_stages {frozen_stages!r}: '
                f'-1 to {NUM_STAGES} are possible'
            )
        self.out_indices = tuple(sorted(out_indices))
        self.frozen_stages = frozen_stages
        self.drop_path_rates = torch.linspace(
            0, drop_path_rate, sum(self.depths), device='cpu'
        ).tolist()
        self._with_cp = with_cp

    def build_stages(self) -> None:
        """Build all parts; a subclass calls it at the end of its __init__."""
        rates = iter(self.drop_path_rates)
        # A stage that no output needs is not built: its parameters would get
        # no gradient, which stops distributed training.
        self.stages = nn.ModuleList(
            Stage(
                self.build_downsample(stage),
                [
                    self.build_block(stage, index, next(rates))
                    for index in range(self.depths[stage])
                ],
                self._with_cp,
            )
            for stage in range(self.out_indices[-1] + 1)
        )
        self.norms = nn.ModuleDict(
            {str(stage): self.build_norm(stage) for stage in self.out_indices}
        )
        self._freeze()

    @abstractmethod
    def build_downsample(self, stage: int) -> nn.Module:
        """Build what comes before the blocks of a stage.

        The first one gets the image as (B, H, W, in_channels).
        """

    @abstractmethod
    def build_block(
        self, stage: int, index: int, drop_path_rate: float
    ) -> nn.Module:
        """Build block `index` of a stage, (B, H, W, C) in and out."""

    def build_norm(self, stage: int) -> nn.Module:  # noqa: ARG002
        """Build what a stage's map passes through before it is returned."""
        return nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        if min(x.shape[2:]) < 4:
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

    def _freeze(self) -> None:
        frozen = []
        if self.frozen_stages >= 0:
            frozen.append(self.stages[0].downsample)
        frozen.extend(self.stages[: max(self.frozen_stages, 0)])
        for module in frozen:
            module.eval()
            module.requires_grad_(False)

    def train(self, mode: bool = True) -> 'PyramidBackbone':
        """Set the mode; frozen stages stay in evaluation. Returns self."""
        super().train(mode)
        self._freeze()
        return self

    def get_layer_depth(
        self, param_name: str, prefix: str = ''
    ) -> tuple[int, int]:
        """Depth of a parameter, for layer-wise learning rate decay.

        The first patch embedding has depth 0, block k (counted over all
        stages) k + 1; what leads to a block has its depth, and the output
        norms come last.

        Args:
            param_name: Name of the parameter.
            prefix: What comes before the backbone's own name for it.

        Returns:
            The depth, and the number of depths there are.
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
