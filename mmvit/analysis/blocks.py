"""Blocks of a backbone by name, and their outputs as maps."""

from torch import Tensor, nn


def blocks_of(backbone: nn.Module) -> dict[str, nn.Module]:
    """Find the blocks of a pyramid or of a plain vision transformer."""
    found = {
        f'stages.{stage}.blocks.{index}': block
        for stage, part in enumerate(getattr(backbone, 'stages', ()))
        for index, block in enumerate(getattr(part, 'blocks', ()))
    }
    return found or {
        f'blocks.{index}': block
        for index, block in enumerate(getattr(backbone, 'blocks', ()))
    }


def find_blocks(
    model: nn.Module, names: list[str]
) -> list[tuple[str, nn.Module]]:
    """Find parts by name; without names, the last block of each stage.

    The names are those of blocks within the backbone, or of other parts of
    the model that return maps.

    Raises:
        ValueError: If the backbone has no blocks that are known, or the model
            no part of that name.
    """
    known = blocks_of(model.backbone)
    if not known:
        raise ValueError(
            f"the config's {type(model.backbone).__name__} is none of "
            "MMViT's backbones: its blocks are not known"
        )
    if not names:
        last = {name.rpartition('.')[0]: name for name in known}
        names = list(last.values())
    parts = {
        name: part
        for name, part in model.named_modules()
        if name and not name.startswith('backbone.')
    }
    unknown = [name for name in names if name not in {**known, **parts}]
    if unknown:
        raise ValueError(
            f'no block {", ".join(unknown)}; there are: {", ".join(known)}, '
            'and the parts of the model outside of its backbone, such as '
            f'{", ".join(list(parts)[:5])}'
        )
    return [(name, known.get(name, parts.get(name))) for name in names]


def map_size(inputs: tuple) -> tuple[int, int] | None:
    """Find the size (H, W) of the map among a block's arguments.

    It is the last one in a plain transformer. Others have maps, and no size.
    """
    return inputs[-1] if isinstance(inputs[-1], tuple) else None


def as_map(out: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Arrange a block's output as a map.

    Args:
        out: What the block returns: a map with the channels last, or, in a
            plain transformer, a row of tokens with a class token before them.
        size: What `map_size` has found.

    Shape: out (B, H, W, C) or (B, 1, 1 + H * W, C) -> (B, C, H, W).
    """
    if size is not None:
        height, width = size
        out = out.flatten(1, 2)[:, -height * width :]
        out = out.unflatten(1, (height, width))
    return out.permute(0, 3, 1, 2)
