# Images resized by a random ratio of 0.5 to 2, as PVT, Twins and Swin do it,
# whose settings the paper says it follows. Its Appendix C has a fixed size.
_base_ = './fpn_scalablevit-s_4xb4-80k_ade20k-512x512.py'
train_dataloader = dict(dataset=dict(pipeline=_base_._train_pipeline_ms))
