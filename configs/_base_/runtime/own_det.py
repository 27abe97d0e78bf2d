# As det.py; of the checkpoints, the last two and the best one are kept.
_base_ = './det.py'
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2, save_best='coco/bbox_mAP')
)
