# AdamW, lr 1e-3 for 1,024 images, weight decay 0.05 except for norms and
# biases. 300 epochs: a linear warm-up of 20 from 1e-6, then a cosine to 1e-5.
_base_ = 'mmpretrain::_base_/schedules/imagenet_bs1024_adamw_swin.py'
auto_scale_lr = dict(base_batch_size=1024, enable=False)
