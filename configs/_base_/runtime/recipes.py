"""Parts for the config of a training, to be taken by one line each.

docs/en/recipes.md describes them. Name this file as a base beside any config:

    _base_ = [
        'mmvit::pvt/retinanet_pvt-t_fpn_1x_coco.py',
        'mmvit::_base_/runtime/recipes.py',
    ]
    val_cfg = _base_._validation_loss
    default_hooks = dict(ema=_base_._ema)
    visualizer = dict(vis_backends=_base_._tensorboard)
    optim_wrapper = _base_._layer_decay
"""

# val_cfg: the loss of the validation images as `val_loss`
_validation_loss = dict(type='mmvit.ValLossLoop')

# default_hooks.early_stopping: ends a training whose validation loss has not
# fallen five times in a row. mmengine's own min_delta of 0.1 would count most
# improvements of a metric between 0 and 1 as none.
_early_stopping = dict(
    type='EarlyStoppingHook', monitor='val_loss', patience=5, min_delta=0.0
)

# default_hooks.checkpoint: keep the last two and the best one
_best_classifier = dict(max_keep_ckpts=2, save_best='accuracy/top1')
_best_detector = dict(max_keep_ckpts=2, save_best='coco/bbox_mAP')
_best_segmentor = dict(max_keep_ckpts=2, save_best='mIoU')
_best_loss = dict(max_keep_ckpts=2, save_best='val_loss', rule='less')

# default_hooks.ema: a moving average of the weights, with which the model is
# validated and saved. 2e-4 averages over some 5,000 updates.
_ema = dict(
    type='EMAHook',
    ema_type='ExponentialMovingAverage',
    momentum=2e-4,
    update_buffers=True,
)

# visualizer.vis_backends: where curves go, besides the work dir
_tensorboard = [
    dict(type='LocalVisBackend'),
    dict(type='TensorboardVisBackend'),
]
_weights_and_biases = [
    dict(type='LocalVisBackend'),
    dict(type='WandbVisBackend', init_kwargs=dict(project='mmvit')),
]

# optim_wrapper: the learning rate of a layer of the backbone is 0.8 times
# that of the next one
_layer_decay = dict(
    constructor='mmvit.LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay_rate=0.8),
)

# optim_wrapper: mixed precision in bfloat16; needs a GPU
_bf16 = dict(type='AmpOptimWrapper', dtype='bfloat16')

# model_wrapper_cfg: weights, gradients and optimizer states are shared out
# over the processes, a transformer block at a time
_fsdp = dict(type='MMFullyShardedDataParallel')
