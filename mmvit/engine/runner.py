"""The Runner that our configs ask for with one line, `runner_type`."""

import os.path as osp
from datetime import timedelta
from functools import partial

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed, is_main_process, master_only
from mmengine.fileio import register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmvit.checkpoints import guard_loading
from mmvit.registry import RUNNERS

from . import sharding
from .compilation import compile_model
from .console import be_brief
from .guards import GUARDS
from .guards.bad_samples import bad_samples, guard_dataset, refuse_skipping
from .guards.checkpoints import (
    ATOMIC,
    AtomicBackend,
    explain_full_disk,
    newest_checkpoint,
    remove_unfinished,
)
from .guards.coco_files import coco_files
from .guards.config_keys import (
    check_custom_keys,
    check_sub_keys,
    check_top_level,
    unread_keys,
)
from .guards.config_types import check_types
from .guards.config_values import (
    check_ends,
    check_learning_rates,
    check_schedules,
    check_values,
)
from .guards.data_config import (
    annotation_findings,
    check_classes,
    check_paths,
    check_truth,
    data_error,
)
from .guards.failed_part import named_part, naming_its_part
from .guards.findings import stop_or_warn
from .guards.memory import advise
from .guards.resumed_config import seed_of
from .guards.signals import obey_parent_only, postponed_signals
from .guards.work_dir import check_work_dir, sole_run
from .learning_rate import scale_lr
from .run_facts import from_main, unwrap
from .run_record import write_record
from .samplers import EndlessBatches, seeded, seeded_sampler_of


@RUNNERS.register_module()
class GuardedRunner(Runner):
    """mmengine's Runner that does not lose work silently.

    A config of any OpenMMLab library uses it with
    `runner_type = 'mmvit.GuardedRunner'`. Besides the hooks in `GUARDS`, it
    checks keys, paths and categories of the config, seeds each sample, names
    samples that cannot be loaded, loads weights without executing them,
    writes checkpoints atomically, resumes from the newest whole one, records
    what was run, and trains with several processes on a CPU.
    docs/en/guards.md describes each guard.
    """

    # Programs may call these by themselves, outside of `train`.
    build_model = guard_loading()(Runner.build_model)
    val = guard_loading()(naming_its_part(Runner.val))
    test = guard_loading()(naming_its_part(Runner.test))

    def __init__(self, *args, **kwargs) -> None:
        self._data_batch: object = None
        self._is_compiled = False
        self._is_shared_out = False
        super().__init__(*args, **kwargs)

    @classmethod
    def from_cfg(cls, cfg: Config | dict) -> 'GuardedRunner':
        """Build a runner from a config, all keys of which must be read."""
        if getattr(cfg, 'filename', None):
            check_top_level(unread_keys(cfg.filename))
        check_sub_keys(cfg, GUARDS)
        check_values(cfg)
        check_work_dir(cfg['work_dir'])
        with named_part(cfg):
            return super().from_cfg(cfg)

    def _find_checkpoint(self) -> None:
        """Find what to resume from, if no file was named."""
        if not (
            self._resume == 'auto' or (self._resume and not self._load_from)
        ):
            return
        found = from_main(lambda: newest_checkpoint(self.work_dir))
        if found is not None:
            self._load_from, self._resume = found, True
            self.logger.info(f'Resume from {found}')
        elif self._resume == 'auto':
            self._resume = False
            self.logger.info(f'{self.work_dir} has no checkpoint: start anew')
        else:
            raise FileNotFoundError(
                f'nothing to resume from: {self.work_dir} holds no '
                'checkpoint that can be read. Leave --resume out to '
                'start anew, or name a file with it'
            )

    def _take_seed(self) -> None:
        """Seed a resumed run as its checkpoint was, before it has data."""
        if not (self._resume and self._load_from):
            return
        seed = from_main(lambda: seed_of(str(self._load_from)))
        own = self._randomness_cfg.get('seed')
        if seed in (None, own):
            return
        if own is not None:
            self.logger.warning(
                f'{self._load_from} was written with the seed {seed}, which '
                f'is used instead of randomness.seed={own}'
            )
        self._randomness_cfg = {**self._randomness_cfg, 'seed': seed}
        self.set_randomness(**self._randomness_cfg)
        self.logger.info(f'The seed is that of the checkpoint: {seed}')
        if is_main_process():
            write_record(self)

    def load_or_resume(self) -> None:
        """Load or resume; then share the model out, if asked to train so."""
        self._find_checkpoint()
        super().load_or_resume()
        if (
            self.distributed
            and self._train_loop is not None
            and sharding.is_asked_for(self.cfg)
            and not self._is_shared_out
        ):
            sharding.check(self)
            self._is_shared_out = True
            optimizer = self.optim_wrapper.optimizer
            self.logger.info(sharding.share_out(self.model, optimizer))

    @guard_loading()
    def load_checkpoint(self, *args, **kwargs) -> dict:
        """Load a checkpoint's weights; see mmengine."""
        return super().load_checkpoint(*args, **kwargs)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """Build mmengine's logger, which keeps long texts off the screen."""
        logger = super().build_logger(*args, **kwargs)
        be_brief(logger)
        return logger

    def setup_env(self, env_cfg: dict) -> None:
        """Set up the environment; on a CPU, processes talk by gloo."""
        if self.distributed and not is_distributed() and get_device() == 'cpu':
            if self._launcher != 'pytorch':
                raise ValueError(
                    f'launcher {self._launcher!r} needs GPUs, and none is '
                    'visible: on CPUs use --launcher pytorch with torchrun'
                )
            seconds = env_cfg.get('dist_cfg', {}).get('timeout', 1800)
            timeout = timedelta(seconds=seconds)
            torch.distributed.init_process_group('gloo', timeout=timeout)
        super().setup_env(env_cfg)

    def wrap_model(
        self, model_wrapper_cfg: dict | None, model: nn.Module
    ) -> nn.Module:
        """Wrap the model for several processes, with or without GPUs."""
        on_gpu = get_device() != 'cpu'
        if self.distributed and sharding.is_asked_for(self.cfg):
            # It is shared out when its weights are there: `load_or_resume`.
            model = model if on_gpu else revert_sync_batchnorm(model)
            return model.to(get_device())
        if on_gpu or not self.distributed or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        self.logger.warning(
            'SyncBatchNorm needs GPUs: on a CPU each process normalizes '
            'with the statistics of its own images'
        )
        find_unused = self.cfg.get('find_unused_parameters', False)
        cfg = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=find_unused,
        )
        cfg.update(model_wrapper_cfg or {}, device_ids=None)
        return super().wrap_model(cfg, revert_sync_batchnorm(model))

    def _maybe_compile(self, target: str) -> None:  # noqa: ARG002
        """Compile the model once, as the key `compile` says.

        mmengine would compile the whole training step.
        """
        cfg = self.cfg.get('compile')
        if cfg and not self._is_compiled:
            options = {} if cfg is True else cfg
            self.logger.info(compile_model(unwrap(self.model), **options))
            self._is_compiled = True

    @staticmethod
    @coco_files()
    def build_dataloader(
        dataloader: DataLoader | dict,
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """Build a dataloader that seeds its samples and names bad files.

        `max_bad_samples` in its config is the number of different samples
        that may fail to load in training.
        """
        if isinstance(dataloader, DataLoader):
            return dataloader
        cfg = dict(dataloader)
        max_bad_samples = cfg.pop('max_bad_samples', 0)
        if not cfg.get('num_workers', 0):
            cfg['persistent_workers'] = False
        dataset = cfg['dataset']
        if isinstance(dataset, dict):
            check_classes('dataset', dataset)
            stop_or_warn(annotation_findings(dataset), 'the data set')
        if isinstance(cfg.get('sampler'), dict):
            cfg = seeded(cfg, seed)
        try:
            loader = Runner.build_dataloader(cfg, seed, diff_rank_seed)
        except ValueError as error:
            if isinstance(dataset, dict) and (cause := data_error(dataset)):
                raise cause from error
            raise
        guard_dataset(loader.dataset, max_bad_samples)
        loader.worker_init_fn = partial(
            obey_parent_only, loader.worker_init_fn
        )
        loader._get_iterator = postponed_signals()(loader._get_iterator)
        return loader

    @coco_files()
    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the training loop if all data that it needs exist."""
        check_schedules(self.cfg)
        check_types(self.cfg, 'train', 'val')
        check_paths('train_dataloader', self._train_dataloader)
        check_paths('val_dataloader', self._val_dataloader)
        loop = super().build_train_loop(loop)
        by_iter = isinstance(loop, IterBasedTrainLoop)
        if by_iter and seeded_sampler_of(loop.dataloader) is not None:
            loop.dataloader_iterator = EndlessBatches(loop.dataloader)
        return loop

    def _check_split(self, split: str) -> None:
        key = f'{split}_dataloader'
        check_types(self.cfg, split)
        loader = getattr(self, f'_{key}')
        check_paths(key, loader)
        refuse_skipping(key, loader)
        check_truth(split, getattr(self, f'_{split}_evaluator'))

    @coco_files()
    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the validation loop if its data exist."""
        self._check_split('val')
        return super().build_val_loop(loop)

    @coco_files()
    def build_test_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Build the test loop if its data exist."""
        self._check_split('test')
        return super().build_test_loop(loop)

    @guard_loading()
    def train(self) -> nn.Module:
        """Train, and log at the end how many samples were skipped.

        Raises:
            RuntimeError: If another run trains in this work dir.
            torch.OutOfMemoryError: With advice for this run.
            OSError: With the free space, if the disk is full.
        """
        with sole_run(self.work_dir):
            return self._train_alone()

    def _train_alone(self) -> nn.Module:
        try:
            if is_main_process():
                remove_unfinished(self.work_dir)
            self._find_checkpoint()
            self._take_seed()
            model = naming_its_part(Runner.train)(self)
        except BaseException as error:
            # For hooks that wrap or replace something during a training
            self.call_hook('after_failed_train')
            out_of_memory = isinstance(error, torch.OutOfMemoryError)
            if out_of_memory and self._data_batch is not None:
                text = f'{error}\n{advise(self, self._data_batch)}'
                raise torch.OutOfMemoryError(text) from error
            explain_full_disk(error, self.work_dir)
            raise
        count, _ = bad_samples(self.train_dataloader)
        if count:
            self.logger.warning(
                f'{count} samples could not be loaded and were skipped; the '
                'log names them'
            )
        return model

    def call_hook(self, fn_name: str, **kwargs) -> None:
        """Call all hooks, and remember the batch that is trained on."""
        if fn_name == 'before_train_iter':
            self._data_batch = kwargs['data_batch']
        super().call_hook(fn_name, **kwargs)

    def register_default_hooks(self, hooks: dict | None = None) -> None:
        """Register the default hooks and the guards."""
        hooks = dict(hooks or {})
        for name, guard in GUARDS.items():
            hook = hooks.pop(name, guard)
            if isinstance(hook, dict):
                # A dict without a type changes the guard's settings.
                hook = {**guard, **hook}
            if hook is not None:
                hooks[name] = hook
        default = dict(type='CheckpointHook', interval=1)
        checkpoint = hooks.get('checkpoint', default)
        own = ('CheckpointHook', CheckpointHook)
        if isinstance(checkpoint, dict) and checkpoint['type'] in own:
            safe = dict(checkpoint, type='mmvit.SafeCheckpointHook')
            hooks['checkpoint'] = safe
        super().register_default_hooks(hooks)

    def build_optim_wrapper(
        self, optim_wrapper: OptimWrapper | dict
    ) -> OptimWrapper:
        """Build the optimizer if all its `custom_keys` have an effect."""
        check_custom_keys(optim_wrapper, unwrap(self.model))
        wrapper = super().build_optim_wrapper(optim_wrapper)
        check_learning_rates(wrapper)
        return wrapper

    def build_param_scheduler(
        self, scheduler: dict | list
    ) -> list | dict[str, list]:
        """Build the schedules, and compare them with the training."""
        built = super().build_param_scheduler(scheduler)
        several = built.values() if isinstance(built, dict) else [built]
        for schedules in several:
            check_ends(schedules, self.max_epochs, self.max_iters)
        return built

    def scale_lr(
        self,
        optim_wrapper: OptimWrapper,  # noqa: ARG002
        auto_scale_lr: dict | None = None,
    ) -> None:
        """Scale the learning rate to the batch of an update, if asked."""
        scale_lr(self, auto_scale_lr)

    @master_only
    def dump_config(self) -> None:
        """Save the config, and the record of the run with its log."""
        super().dump_config()
        write_record(self)

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        *args,
        backend_args: dict | None = None,
        **kwargs,
    ) -> None:
        """Save a checkpoint so that a kill leaves the previous one whole."""
        self.call_hook('gather_for_checkpoint')
        if backend_args is None and '://' not in osp.join(out_dir, filename):
            register_backend(ATOMIC, AtomicBackend, force=True)
            backend_args = dict(backend=ATOMIC)
        with sharding.whole_states(self.model, self.optim_wrapper):
            super().save_checkpoint(
                out_dir, filename, *args, backend_args=backend_args, **kwargs
            )
