"""Published dense models, by their names and shapes."""

from .published import Depths, pvt_shapes


class Shapes(dict[str, tuple[int, ...]]):
    """Names and shapes, added layer by layer."""

    def layer(self, name: str, *shape: int, bias: bool = True) -> None:
        """Add a linear layer, a convolution or a LayerNorm."""
        self[f'{name}.weight'] = shape
        if bias:
            self[f'{name}.bias'] = shape[:1]

    def batch_norm(self, name: str, dims: int) -> None:
        self.layer(name, dims)
        self[f'{name}.running_mean'] = self[f'{name}.running_var'] = (dims,)
        self[f'{name}.num_batches_tracked'] = ()

    def fpn(self, sources: tuple[int, ...], extra: tuple[int, ...]) -> None:
        """Add a feature pyramid; `extra` are the inputs of added levels."""
        for index, source in enumerate(sources):
            self.layer(f'neck.lateral_convs.{index}.conv', 256, source, 1, 1)
        for index, source in enumerate((*(256 for _ in sources), *extra)):
            self.layer(f'neck.fpn_convs.{index}.conv', 256, source, 3, 3)


def dense_pvt(arch: str, depths: Depths = None) -> Shapes:
    """PVT's backbone in a dense model: its classifier's without the ends."""
    ends = ('cls_token', 'norm.', 'head.')
    return Shapes(
        (f'backbone.{name}', shape)
        for name, shape in pvt_shapes(arch, depths).items()
        if not name.startswith(ends)
    )


def retinanet_shapes(arch: str, depths: Depths = None) -> Shapes:
    shapes = dense_pvt(arch, depths)
    shapes.fpn((128, 320, 512), extra=(512, 256))
    for index in range(4):
        for part in ('cls', 'reg'):
            name = f'bbox_head.{part}_convs.{index}.conv'
            shapes.layer(name, 256, 256, 3, 3)
    shapes.layer('bbox_head.retina_cls', 9 * 80, 256, 3, 3)
    shapes.layer('bbox_head.retina_reg', 9 * 4, 256, 3, 3)
    return shapes


def mask_rcnn_shapes(arch: str) -> Shapes:
    shapes = dense_pvt(arch)
    shapes.fpn((64, 128, 320, 512), extra=())
    shapes.layer('rpn_head.rpn_conv', 256, 256, 3, 3)
    shapes.layer('rpn_head.rpn_cls', 3, 256, 1, 1)
    shapes.layer('rpn_head.rpn_reg', 12, 256, 1, 1)
    box, mask = 'roi_head.bbox_head', 'roi_head.mask_head'
    shapes.layer(f'{box}.fc_cls', 81, 1024)
    shapes.layer(f'{box}.fc_reg', 320, 1024)
    shapes.layer(f'{box}.shared_fcs.0', 1024, 256 * 7 * 7)
    shapes.layer(f'{box}.shared_fcs.1', 1024, 1024)
    for index in range(4):
        shapes.layer(f'{mask}.convs.{index}.conv', 256, 256, 3, 3)
    shapes.layer(f'{mask}.upsample', 256, 256, 2, 2)
    shapes.layer(f'{mask}.conv_logits', 80, 256, 1, 1)
    return shapes


def detr_shapes(arch: str) -> Shapes:
    """As mmdet 2 has it: everything is in the bbox_head."""
    shapes = dense_pvt(arch)
    for part, attentions in (('encoder', 1), ('decoder', 2)):
        for index in range(6):
            layer = f'bbox_head.transformer.{part}.layers.{index}'
            for number in range(attentions):
                attn = f'{layer}.attentions.{number}.attn'
                shapes[f'{attn}.in_proj_weight'] = (768, 256)
                shapes[f'{attn}.in_proj_bias'] = (768,)
                shapes.layer(f'{attn}.out_proj', 256, 256)
            shapes.layer(f'{layer}.ffns.0.layers.0.0', 2048, 256)
            shapes.layer(f'{layer}.ffns.0.layers.1', 256, 2048)
            for number in range(attentions + 1):
                shapes.layer(f'{layer}.norms.{number}', 256)
    shapes.layer('bbox_head.transformer.decoder.post_norm', 256)
    shapes.layer('bbox_head.input_proj', 256, 512, 1, 1)
    shapes.layer('bbox_head.fc_cls', 81, 256)
    shapes.layer('bbox_head.reg_ffn.layers.0.0', 256, 256)
    shapes.layer('bbox_head.reg_ffn.layers.1', 256, 256)
    shapes.layer('bbox_head.fc_reg', 4, 256)
    shapes['bbox_head.query_embedding.weight'] = (100, 256)
    return shapes


def semantic_fpn_shapes(arch: str) -> Shapes:
    shapes = dense_pvt(arch)
    shapes.fpn((64, 128, 320, 512), extra=())
    for level in range(4):
        # Between the convolutions are enlargements.
        for number in range(max(level, 1)):
            name = f'decode_head.scale_heads.{level}.{2 * number}'
            source = 128 if number else 256
            shapes.layer(f'{name}.conv', 128, source, 3, 3, bias=False)
            shapes.batch_norm(f'{name}.bn', 128)
    shapes.layer('decode_head.conv_seg', 150, 128, 1, 1)
    return shapes


def setr_shapes(
    method: str,
    dims: int,
    depth: int,
    side: int,
    classes: int,
    channels: int = 256,
) -> Shapes:
    """SETR's release: method 'naive', 'pup' or 'mla'."""
    shapes = Shapes()
    shapes['backbone.cls_token'] = (1, 1, dims)
    shapes['backbone.pos_embed'] = (1, 1 + side**2, dims)
    shapes.layer('backbone.patch_embed.proj', dims, 3, 16, 16)
    for index in range(depth):
        block = f'backbone.blocks.{index}'
        shapes.layer(f'{block}.norm1', dims)
        shapes.layer(f'{block}.attn.qkv', 3 * dims, dims)
        shapes.layer(f'{block}.attn.proj', dims, dims)
        shapes.layer(f'{block}.norm2', dims)
        shapes.layer(f'{block}.mlp.fc1', 4 * dims, dims)
        shapes.layer(f'{block}.mlp.fc2', dims, 4 * dims)
    if method == 'mla':
        _add_mla(shapes, dims, classes, channels)
        return shapes
    kernel, auxiliary = (3, 4) if method == 'pup' else (1, 3)
    heads = ['decode_head', *(f'auxiliary_head.{i}' for i in range(auxiliary))]
    for head in heads:
        steps = 4 if head == 'decode_head' and method == 'pup' else 1
        shapes.layer(f'{head}.conv_seg', classes, 2 * channels, 1, 1)
        shapes.layer(f'{head}.norm', dims)
        for step in range(steps):
            source = channels if step else dims
            name = f'{head}.conv_{step}'
            shapes.layer(name, channels, source, kernel, kernel)
            shapes.batch_norm(f'{head}.syncbn_fc_{step}', channels)
        shapes.layer(f'{head}.conv_{steps}', classes, channels, 1, 1)
    return shapes


def _add_mla(shapes: Shapes, dims: int, classes: int, channels: int) -> None:
    half = channels // 2
    for level in range(2, 6):
        for name, source, side in (
            (f'backbone.mla.mla_p{level}_1x1', dims, 1),
            (f'backbone.mla.mla_p{level}', channels, 3),
        ):
            shapes.layer(f'{name}.0', channels, source, side, side, bias=False)
            shapes.batch_norm(f'{name}.1', channels)
        shapes.layer(f'backbone.norm_{level - 2}', dims)
        head = f'decode_head.mlahead.head{level}'
        for number, source in ((0, channels), (3, half)):
            name = f'{head}.{number}'
            shapes.layer(name, half, source, 3, 3, bias=False)
            shapes.batch_norm(f'{head}.{number + 1}', half)
    shapes.layer('decode_head.conv_seg', classes, 4 * half, 1, 1)
    shapes.layer('decode_head.cls', classes, 4 * half, 3, 3)
    for index in range(4):
        head = f'auxiliary_head.{index}'
        shapes.layer(f'{head}.conv_seg', classes, 2 * channels, 1, 1)
        shapes.layer(f'{head}.aux', classes, channels, 1, 1, bias=False)
