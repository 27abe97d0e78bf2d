"""The loss of the validation images, beside the metrics."""

import copy

import torch
from mmengine.config import ConfigDict
from mmengine.dist import all_reduce_dict
from mmengine.evaluator import Evaluator
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner, ValLoop, autocast
from torch.utils.data import DataLoader

from mmvit.registry import LOOPS

from .random_states import kept_states, seed_all
from .run_facts import unwrap


def _annotations_first(node: object) -> object:
    """Copy a data set's config, with annotations loaded before resizing."""
    if isinstance(node, (list, tuple)):
        return type(node)(_annotations_first(child) for child in node)
    if not isinstance(node, dict):
        return copy.deepcopy(node)
    found = ConfigDict(
        {key: _annotations_first(value) for key, value in node.items()}
    )
    pipeline = found.get('pipeline')
    if isinstance(pipeline, list):
        loading = [
            transform
            for transform in pipeline
            if str(transform['type']).endswith('Annotations')
        ]
        rest = [one for one in pipeline if one not in loading]
        found['pipeline'] = [*rest[:1], *loading, *rest[1:]]
    return found


@LOOPS.register_module()
class ValLossLoop(ValLoop):
    """mmengine's ValLoop that also gives the loss of the validation images.

    The metrics get `val_loss`, and its parts such as `val_loss_bbox`. Their
    names differ from those of the training, because TensorBoard and the like
    would draw one curve of both. The hooks that save the best checkpoint or
    stop early can watch `val_loss`. The network is in evaluation mode,
    without augmentation. Random choices inside a loss, such as the sampled
    boxes of Mask R-CNN, are the same at each validation.

    The libraries' test pipelines load boxes and label maps after the image is
    resized, because metrics need the original sizes. A loss needs the sizes
    that the network sees. So the images are loaded once more, with the
    annotations before the resizing; where that changes nothing, as in
    classification, each batch is loaded once.

    Args:
        runner: The runner.
        dataloader: The validation's data loader, or its config.
        evaluator: Computes the metrics.
        fp16: Whether the forward passes are in mixed precision.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        evaluator: Evaluator | dict | list,
        fp16: bool = False,
    ) -> None:
        loader = None
        if isinstance(dataloader, dict):
            cfg = ConfigDict(dataloader)
            dataset = _annotations_first(cfg.dataset)
            if dataset != cfg.dataset:
                cfg = ConfigDict(cfg, dataset=dataset)
                loader = runner.build_dataloader(cfg, seed=runner.seed)
        super().__init__(runner, dataloader, evaluator, fp16)
        self._loader = loader
        self._batches = iter(())

    def run(self) -> dict:
        """Validate, and return the metrics and the losses."""
        if self._loader is not None:
            self._batches = iter(self._loader)
        # mmengine's log averages what has "loss" in its name over the last
        # validations: it has to see one value at a time.
        history = self.runner.message_hub.log_scalars
        for key in [key for key in history if key.startswith('val/')]:
            if 'loss' in key:
                del history[key]
        return super().run()

    @torch.no_grad()
    def run_iter(self, idx: int, data_batch: dict) -> None:
        """Predict a batch, then compute its losses."""
        super().run_iter(idx, data_batch)
        batch = next(self._batches, data_batch)
        with kept_states():
            seed_all(idx)
            losses = self._losses(batch)
        for name, value in losses.items():
            buffer = self.val_loss.setdefault(f'val_{name}', HistoryBuffer())
            buffer.update(value.item())

    def _losses(self, batch: dict) -> dict[str, torch.Tensor]:
        model = unwrap(self.runner.model)
        prepare = model.data_preprocessor
        # MixUp and the like belong to training.
        augments = getattr(prepare, 'batch_augments', None)
        try:
            prepare.batch_augments = None
            data = prepare(batch, True)
        finally:
            prepare.batch_augments = augments
        with autocast(enabled=self.fp16):
            losses = self.runner.model._run_forward(data, mode='loss')
        losses = dict(model.parse_losses(losses)[1])
        total = losses.pop('loss')  # mmengine computes it from its parts.
        if not any('loss' in name for name in losses):
            losses['loss'] = total
        all_reduce_dict(losses, 'mean')
        return losses
