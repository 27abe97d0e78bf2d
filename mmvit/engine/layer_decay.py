"""Learning rates that fall from a backbone's last layer to its first."""

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from mmvit.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """mmengine's constructor, with layer-wise learning rate decay.

    Fine-tuning of `BEiT <https://arxiv.org/abs/2106.08254>`_ uses it. The
    learning rate of each layer of the backbone is that of the next one times
    `paramwise_cfg['layer_decay_rate']`. The output norms, necks and heads
    have the full rate. `get_layer_depth` of the backbone tells the layers.

    The libraries have constructors of their own: mmdetection's and
    mmsegmentation's know the names of a few backbones only, and mmpretrain's
    takes classifiers only and ignores `lr_mult`. With this one, all other
    keys of `paramwise_cfg` work as in mmengine, for every task.
    """

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = '',
        is_dcn_module: int | float | None = None,
    ) -> None:
        """Add the parameters of a module, each with its learning rate.

        Raises:
            ValueError: If `layer_decay_rate` is missing, or not above 0 and
                at most 1.
            TypeError: If the backbone has no `get_layer_depth`.
        """
        super().add_params(params, module, prefix, is_dcn_module)
        if prefix:  # A part: the call for the whole model does the rest.
            return
        rate = self.paramwise_cfg.get('layer_decay_rate')
        if rate is None or not 0 < rate <= 1:
            raise ValueError(
                'optim_wrapper.paramwise_cfg.layer_decay_rate is '
                f'{rate}: it must be above 0 and at most 1, such as 0.8'
            )
        backbone = getattr(module, 'backbone', None)
        if not hasattr(backbone, 'get_layer_depth'):
            raise TypeError(
                f'layer-wise decay needs get_layer_depth, which the backbone '
                f'{type(backbone).__name__} does not have: use a backbone of '
                'mmvit, or leave optim_wrapper.constructor out'
            )
        names = {id(p): name for name, p in module.named_parameters()}
        for group in params:
            name = names[id(group['params'][0])]
            if name.startswith('backbone.'):
                depth, count = backbone.get_layer_depth(name, 'backbone.')
                lr = group.get('lr', self.base_lr)
                group['lr'] = lr * rate ** (count - 1 - depth)
