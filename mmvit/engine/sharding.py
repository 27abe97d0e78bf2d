"""Weights, gradients and optimizer states shared out over the processes."""

import contextlib
from collections.abc import Iterator

import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

NAME = 'MMFullyShardedDataParallel'


def is_asked_for(cfg: Config) -> bool:
    """Whether a config shares its model out."""
    wrapper = cfg.get('model_wrapper_cfg') or {}
    return str(wrapper.get('type')).rpartition('.')[2] == NAME


def check(runner: Runner) -> None:
    """Refuse what does not work with a model that is shared out.

    Raises:
        ValueError: It names the key, and what to do.
    """
    extra = sorted(set(runner.cfg.model_wrapper_cfg) - {'type', '_scope_'})
    if extra:
        raise ValueError(
            f'model_wrapper_cfg.{extra[0]}: GuardedRunner shares a model out '
            "with torch's fully_shard, block by block, which has no such "
            'option. Leave it out; for bfloat16 use --amp'
        )
    if any(isinstance(hook, EMAHook) for hook in runner.hooks):
        raise ValueError(
            f'EMAHook does not work with model_wrapper_cfg.type={NAME!r}: '
            'its copy of the weights would not be shared out. Remove one of '
            'the two'
        )
    if runner.cfg.get('compile'):
        raise ValueError(
            f'compile does not work with model_wrapper_cfg.type={NAME!r}: '
            'remove one of the two'
        )
    if not isinstance(runner.optim_wrapper, OptimWrapper):
        raise ValueError(
            f'model_wrapper_cfg.type={NAME!r} needs a single optimizer, and '
            'optim_wrapper has several'
        )


def share_out(model: nn.Module, optimizer: torch.optim.Optimizer) -> str:
    """Share out a model and its optimizer's state, in place.

    All processes have the same weights and states before. Each transformer
    block of ours is gathered by itself when it is needed; all other
    parameters are gathered together. Parameters keep their names.

    Returns:
        A sentence for the log.
    """
    old = dict(model.named_parameters())
    device = next(iter(old.values())).device.type
    mesh = init_device_mesh(device, (get_world_size(),))
    # The inner ones first
    for module in reversed(list(model.modules())):
        if getattr(module, 'is_compiled_alone', False):
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    new = dict(model.named_parameters())
    follows = {parameter: new[name] for name, parameter in old.items()}
    for group in optimizer.param_groups:
        group['params'] = [follows[one] for one in group['params']]
    for parameter in list(optimizer.state):
        state, target = optimizer.state.pop(parameter), follows[parameter]
        optimizer.state[target] = {
            key: _like(target, value) for key, value in state.items()
        }
    total = sum(parameter.numel() for parameter in new.values())
    here = sum(parameter.to_local().numel() for parameter in new.values())
    return (
        f'{total} parameters are shared out over {mesh.size()} processes, '
        f'{here} of them in this one'
    )


def _like(parameter: DTensor, value: object) -> object:
    """Share out a tensor of a parameter's shape as the parameter is."""
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        value = value.to(parameter.device)
        return distribute_tensor(
            value, parameter.device_mesh, parameter.placements
        )
    return value


def whole(value: object) -> object:
    """Gather the tensors in nested dicts and lists; all processes call it."""
    if isinstance(value, DTensor):
        return value.full_tensor().detach().cpu()
    if isinstance(value, dict):
        return type(value)((key, whole(one)) for key, one in value.items())
    if isinstance(value, list):
        return [whole(one) for one in value]
    return value


@contextlib.contextmanager
def whole_states(model: nn.Module, wrapper: OptimWrapper) -> Iterator[None]:
    """Let `state_dict` of a model and its optimizer be whole in a context."""
    if not isinstance(model, FSDPModule):
        yield
        return
    states = [(one, whole(one.state_dict())) for one in (model, wrapper)]
    for owner, state in states:
        owner.state_dict = lambda *_, state=state, **__: state
    try:
        yield
    finally:
        for owner, _ in states:
            del owner.state_dict
