from collections.abc import Iterator

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmvit.registry import HOOKS

from ..data_checks import check_class_names, check_masks, check_samples
from ..sampling import allowed_bad_samples
from ..unwrapping import unwrap

# Heads whose `num_classes` is not the data set's.
_OTHER_CLASSES = ('FusedSemanticHead',)


def _heads(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        last = name.rpartition('.')[2]
        numbered = name.split('.')[-2:][0] if last.isdigit() else last
        if (
            'head' in numbered
            and 'rpn' not in numbered
            and isinstance(getattr(module, 'num_classes', None), int)
            and type(module).__name__ not in _OTHER_CLASSES
        ):
            yield name, module


@HOOKS.register_module()
class CheckClassesHook(Hook):
    """Compares model and data before the first iteration.

    Args:
        num_masks: How many masks of a segmentation set are read.
        num_samples: Of how many samples the files and annotations are looked
            for.
    """

    def __init__(self, num_masks: int = 50, num_samples: int = 500) -> None:
        self.num_masks = num_masks
        self.num_samples = num_samples

    def before_train(self, runner: Runner) -> None:
        """Check the training and validation data.

        Raises:
            ValueError: If a head's `num_classes` is not the data set's, a
                mask holds a label that is no class, or there is no object.
            FileNotFoundError: If images or masks are missing.
        """
        self._check(runner, 'train_dataloader', runner.train_dataloader)
        if runner._val_loop is not None:
            self._check(runner, 'val_dataloader', runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Check the test data; raises as `before_train`."""
        self._check(runner, 'test_dataloader', runner.test_dataloader)

    def _check(self, runner: Runner, key: str, dataloader: object) -> None:
        dataset: Dataset = dataloader.dataset
        check_class_names(dataset)
        check_samples(
            dataset,
            self.num_samples,
            may_miss=allowed_bad_samples(dataloader),
            needs_objects=key == 'train_dataloader',
        )
        classes = getattr(dataset, 'metainfo', {}).get('classes')
        if not classes:
            return
        for name, head in _heads(unwrap(runner.model)):
            if head.num_classes != len(classes):
                shown = ', '.join(classes[:10])
                raise ValueError(
                    f'model.{name}.num_classes is {head.num_classes}, but '
                    f'{key}.dataset has {len(classes)} classes ({shown}'
                    f'{", ..." if len(classes) > 10 else ""}): make them '
                    'agree'
                )
        check_masks(dataset, len(classes), self.num_masks)
