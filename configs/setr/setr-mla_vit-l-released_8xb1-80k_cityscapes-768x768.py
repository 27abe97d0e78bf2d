_base_ = './setr-mla_vit-l_8xb1-80k_cityscapes-768x768.py'
# As the authors' release has it; auxiliary classifiers play no part in a test.
head = dict(up_align_corners=True, cls_kernel_size=3)
model = dict(decode_head=head, auxiliary_head=None)
