# As released: images are padded to multiples of the last stride.
_base_ = './detr_pvt-s_50e_coco.py'
model = dict(data_preprocessor=dict(pad_size_divisor=32))
