"""What pyramids and single-resolution backbones have in common."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmvit.checkpoints import load_pretrained

from ..layers import contiguous


def _are_positive(value: object) -> bool:
    numbers = value if isinstance(value, (tuple, list)) else [value]
    return all(type(one) in (int, float) and one > 0 for one in numbers)


def resolve_arch(
    arch: str | dict, zoo: dict[str, dict], overrides: dict | None = None
) -> dict:
    """Look up an arch by name, replace some of its keys, and check it."""
    if isinstance(arch, str):
        if arch not in zoo:
            raise ValueError(
                f'unknown arch {arch!r}: choose one of '
                f'{", ".join(zoo)}, or give a dict'
            )
        arch = zoo[arch]
    arch = {**arch, **(overrides or {})}
    reference = next(iter(zoo.values()))
    keys = set(reference)
    if set(arch) != keys:
        raise ValueError(
            f'an arch dict has the keys {sorted(keys)}; missing: '
            f'{sorted(keys - set(arch))}, unknown: {sorted(set(arch) - keys)}'
        )
    for key, expected in reference.items():
        value = arch[key]
        if _are_positive(expected) and not _are_positive(value):
            raise ValueError(
                f'arch[{key!r}] is {value!r}: write numbers above 0'
            )
        if isinstance(expected, tuple) and (
            not isinstance(value, (tuple, list)) or len(value) != len(expected)
        ):
            raise ValueError(
                f'arch[{key!r}] needs a value for each of the '
                f'{len(expected)} stages, not {value!r}'
            )
    return arch


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Do not update running statistics when a module runs a second time."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum


def checkpointed(module: nn.Module, *inputs: Any) -> Tensor:
    """Run a module and recompute its activations in the backward pass."""
    return checkpoint(
        module,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _frozen_statistics(module)),
    )


def channels_first(x: Tensor) -> Tensor:
    """Turn a map (B, H, W, C) into contiguous (B, C, H, W), for RoIAlign."""
    return contiguous(x.permute(0, 3, 1, 2))


def linear_rates(last: float, number: int) -> list[float]:
    """Rates of stochastic depth: from 0 to `last` over `number` blocks."""
    return torch.linspace(0, last, number, device='cpu').tolist()


class Backbone(BaseModule, metaclass=ABCMeta):
    """Base class of all backbones: arch, outputs, freezing and weights.

    Args:
        arch: A name in `arch_zoo`, or a dict with the keys of its entries.
        overrides: Keys of the arch to replace, such as
            `dict(depths=(2, 2, 4, 2))`.
        out_indices: Stages (of SETRViT: layers) whose maps are returned,
            counted from 0; None is the last.
        frozen_stages: -1 freezes nothing, 0 the patch embedding, k that and
            the first k stages (of SETRViT: layers).
        with_cp: Whether activations of blocks are recomputed in the backward
            pass, which saves memory (activation checkpointing).
        init_cfg: `dict(type='Pretrained', checkpoint=..., prefix=...)` loads
            weights; `min_matched` is the share of the backbone's parameters
            that the file must have, 0.9 by default.

    Attributes:
        num_outputs: Number of maps that can be returned.
        out_channels: Channels of each map that is returned.
        out_strides: Pixels of the image for a step in each of these maps.
    """

    arch_zoo: ClassVar[dict[str, dict]]
    num_outputs: int
    out_channels: tuple[int, ...]
    out_strides: tuple[int, ...]

    def __init__(
        self,
        arch: str | dict,
        overrides: dict | None = None,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.arch = resolve_arch(arch, self.arch_zoo, overrides)
        self.embed_dims = self.arch['embed_dims']
        number = self.num_outputs
        if out_indices is None:
            out_indices = (number - 1,)
        if not out_indices or not set(out_indices) <= set(range(number)):
            raise ValueError(
                f'out_indices {out_indices!r} must be some of '
                f'0 to {number - 1}'
            )
        if not -1 <= frozen_stages <= number:
            raise ValueError(
                f'frozen_stages {frozen_stages!r} must be -1 to {number}'
            )
        self.out_indices = tuple(sorted(set(out_indices)))
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp

    @abstractmethod
    def frozen_modules(self) -> list[nn.Module]:
        """Modules that are frozen if `frozen_stages` is 0 or more."""

    def _freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        for module in self.frozen_modules():
            module.eval()
            module.requires_grad_(False)
        # Class tokens and their positions belong to the patch embedding.
        for param in self.parameters(recurse=False):
            param.requires_grad_(False)

    def train(self, mode: bool = True) -> 'Backbone':
        """Set the mode; frozen modules stay in evaluation mode."""
        super().train(mode)
        self._freeze()
        return self

    def init_weights(self) -> None:
        """Draw the weights, then load those of a `Pretrained` init_cfg.

        Linear layers are drawn from a normal distribution of deviation 0.02.
        The papers cut it off at 100 deviations, which changes nothing, but
        mmengine's `TruncNormal` makes a weight of -2 of one in 17 million.
        """
        given = self.init_cfg or []
        given = [given] if isinstance(given, dict) else list(given)
        pretrained = [cfg for cfg in given if cfg['type'] == 'Pretrained']
        self.init_cfg = [
            dict(type='Normal', layer='Linear', std=0.02, bias=0.0),
            *(cfg for cfg in given if cfg not in pretrained),
        ]
        super().init_weights()
        self.init_cfg = given
        for cfg in pretrained:
            file, prefix = cfg['checkpoint'], cfg.get('prefix')
            load_pretrained(self, file, prefix, cfg.get('min_matched', 0.9))
