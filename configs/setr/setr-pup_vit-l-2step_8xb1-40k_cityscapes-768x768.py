_base_ = './setr-pup_vit-l_8xb1-40k_cityscapes-768x768.py'
model = dict(decode_head=dict(num_convs=2, up_scale=4))
