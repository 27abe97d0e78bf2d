"""Weights of a checkpoint against the model that they are loaded into."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmvit.checkpoints import check_match
from mmvit.checkpoints.matching import MIN_MATCHED
from mmvit.registry import HOOKS

from ..run_facts import unwrap


@HOOKS.register_module()
class CheckWeightsHook(Hook):
    """Stops a run whose checkpoint does not fit its model.

    mmengine loads what matches and logs the rest, so that a test of random
    weights prints a metric. Here a test and a resumed training need every
    parameter. A training that starts from other weights (`load_from`) needs a
    share of them; weights of another shape stay as they were drawn.

    Args:
        min_matched: That share, counted by tensors.
    """

    # After the EMA hook, which swaps the weights that will be loaded
    priority = 'VERY_LOW'

    def __init__(self, min_matched: float = MIN_MATCHED) -> None:
        self.min_matched = min_matched

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare names and shapes."""
        if not isinstance(checkpoint, dict):
            raise ValueError(
                f'{runner._load_from} holds a {type(checkpoint).__name__} '
                'instead of the weights of a model by their names'
            )
        weights = checkpoint.get('state_dict', checkpoint)
        weights = {k.removeprefix('module.'): v for k, v in weights.items()}
        # In a test the training loop is a dict: it is not built.
        fine_tunes = not runner._resume and not isinstance(
            runner._train_loop, (dict, type(None))
        )
        check_match(
            unwrap(runner.model),
            weights,
            source=str(runner._load_from),
            min_matched=self.min_matched if fine_tunes else 1.0,
            allow_shapes=fine_tunes,
        )
