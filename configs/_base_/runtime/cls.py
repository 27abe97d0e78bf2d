# Of the checkpoints, the last two and the best one are kept.
_base_ = 'mmpretrain::_base_/default_runtime.py'
runner_type = 'mmvit.GuardedRunner'
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2, save_best='accuracy/top1')
)
