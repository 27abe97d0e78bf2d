"""torch.compile for a model, block by block or the whole backbone."""

import torch
from torch import nn

SCOPES = ('blocks', 'backbone')


def compile_model(model: nn.Module, scope: str = 'blocks', **options) -> str:
    """Compile a model in place; the names of its parameters stay.

    Blocks of one kind share their compiled code, so that compiling takes far
    less time than for the whole backbone. Each size of the images is compiled
    by itself. With `dynamic=None` torch makes code for all sizes when a second
    one comes; the inductor of torch 2.14 fails at this for some backbones.

    Args:
        model: A model of any task.
        scope: 'blocks' compiles each block of our backbones and heads by
            itself, 'backbone' the whole backbone in one graph.
        options: Arguments of `torch.compile`, such as `mode`.

    Returns:
        A sentence for the log.

    Raises:
        ValueError: If there is nothing to compile in this scope.
    """
    if scope not in SCOPES:
        raise ValueError(
            f'compile scope {scope!r}: choose one of {", ".join(SCOPES)}'
        )
    options.setdefault('dynamic', False)
    if scope == 'backbone':
        backbone = getattr(model, 'backbone', None)
        if backbone is None:
            raise ValueError(f'{type(model).__name__} has no backbone')
        backbone.compile(**options)
        return f'torch.compile: {type(backbone).__name__}'
    blocks = [
        module
        for module in model.modules()
        if getattr(module, 'is_compiled_alone', False)
    ]
    if not blocks:
        raise ValueError(
            f'{type(model).__name__} has no blocks of mmvit to compile: use '
            "compile=dict(scope='backbone'), or leave --compile out"
        )
    # Each kind of block, stage and size takes one of them.
    config = torch._dynamo.config
    config.recompile_limit = max(config.recompile_limit, 128)
    for block in blocks:
        block.compile(**options)
    return f'torch.compile: {len(blocks)} blocks, one by one'
