"""Definitions of the operators, as plain loops over numbers in float64."""

import math

import numpy as np


def iou(one, other, offset=0):
    """IoU of two boxes x1, y1, x2, y2; NaN where both have no area."""
    sides = [
        max(
            0.0, min(one[k + 2], other[k + 2]) - max(one[k], other[k]) + offset
        )
        for k in (0, 1)
    ]
    areas = [
        (box[2] - box[0] + offset) * (box[3] - box[1] + offset)
        for box in (one, other)
    ]
    union = sum(areas) - sides[0] * sides[1]
    return sides[0] * sides[1] / union if union else 0.0


def nms(boxes, scores, threshold, offset=0):
    """Indices of the boxes that are kept, highest score first."""
    # NaN ranks first, as torch.sort has it.
    order = sorted(
        range(len(boxes)),
        key=lambda i: (not math.isnan(scores[i]), -scores[i]),
    )
    kept = []
    for i in order:
        if not any(iou(boxes[i], boxes[j], offset) > threshold for j in kept):
            kept.append(i)
    return kept


def soft_nms(boxes, scores, threshold, sigma, min_score, method, offset=0):
    """Indices and new scores of the boxes that are kept."""
    scores, left = list(map(float, scores)), list(range(len(boxes)))
    kept, new = [], []
    while left:
        best = max(left, key=lambda i: scores[i])
        left.remove(best)
        kept.append(best)
        new.append(scores[best])
        for i in list(left):
            overlap = iou(boxes[best], boxes[i], offset)
            if method == 'gaussian':
                scores[i] *= math.exp(-(overlap**2) / sigma)
            elif overlap >= threshold:
                scores[i] *= 1 - overlap if method == 'linear' else 0
            if scores[i] < min_score:
                left.remove(i)
    return kept, new


def bilinear(image, y, x):
    """Weights (H, W) of a sample's tokens; none outside of the image."""
    height, width = image
    weights = np.zeros(image)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < height and 0 <= column < width:
                weights[row, column] = (1 - abs(y - row)) * (
                    1 - abs(x - column)
                )
    return weights


def _clamped(image, y, x):
    """As `bilinear`, but samples less than 1 outside lie on the border."""
    height, width = image
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(image)
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    return bilinear(image, y, x)


def roi_align(shape, rois, bins, scale, samples, aligned):
    """Weights of each input token in each output, (K, bins, bins, B, H, W)."""
    images, height, width = shape
    weights = np.zeros((len(rois), bins, bins, images, height, width))
    for k, (image, *corners) in enumerate(np.asarray(rois, float).tolist()):
        x1, y1, x2, y2 = (c * scale - 0.5 * aligned for c in corners)
        rows, columns = y2 - y1, x2 - x1
        if not aligned:
            rows, columns = max(rows, 1.0), max(columns, 1.0)
        num_y = samples or math.ceil(rows / bins)
        num_x = samples or math.ceil(columns / bins)
        for i in range(bins):
            for j in range(bins):
                for a in range(num_y):
                    for b in range(num_x):
                        y = y1 + (i + (a + 0.5) / num_y) * rows / bins
                        x = x1 + (j + (b + 0.5) / num_x) * columns / bins
                        weights[k, i, j, int(image)] += _clamped(
                            (height, width), y, x
                        ) / max(num_y * num_x, 1)
    return weights


def roi_pool(x, rois, bins, scale):
    """Maxima (K, C, bins, bins) and their gradient's places, as a mask."""
    height, width = x.shape[2:]
    out = np.zeros((len(rois), x.shape[1], bins, bins))
    places = {}
    for k, (image, x1, y1, x2, y2) in enumerate(rois.tolist()):
        left, top = x1 * scale, y1 * scale
        rows = (y2 + 1) * scale - top
        columns = (x2 + 1) * scale - left
        if rows <= 0 or columns <= 0:
            continue
        for c in range(x.shape[1]):
            for i in range(bins):
                for j in range(bins):
                    inside = [
                        (float(x[int(image), c, r, s]), r, s)
                        for r in range(height)
                        for s in range(width)
                        if math.floor(top + i * rows / bins)
                        <= r
                        < math.ceil(top + (i + 1) * rows / bins)
                        and math.floor(left + j * columns / bins)
                        <= s
                        < math.ceil(left + (j + 1) * columns / bins)
                    ]
                    if inside:
                        value, r, s = max(inside)
                        out[k, c, i, j] = value
                        places[k, c, i, j] = int(image), c, r, s
    return out, places


def sigmoid_focal_loss(logit, is_target, gamma, alpha):
    """Focal loss of one logit."""
    p = 1 / (1 + math.exp(-logit))
    if is_target:
        return -alpha * (1 - p) ** gamma * math.log(p)
    return -(1 - alpha) * p**gamma * math.log(1 - p)


def deform_conv(x, offset, mask, weight, bias, stride, padding, dilation,
                groups, offset_groups):  # fmt: skip
    """Deformable convolution; mask None is 1 everywhere."""
    images, channels, height, width = x.shape
    out_channels, per_group, kernel_h, kernel_w = weight.shape
    rows, columns = offset.shape[2:]
    out = np.zeros((images, out_channels, rows, columns))
    taps = kernel_h * kernel_w
    for b, o, r, s in np.ndindex(out.shape):
        total = 0.0 if bias is None else bias[o]
        first = o // (out_channels // groups) * per_group
        for c in range(per_group):
            channel = first + c
            part = channel // (channels // offset_groups)
            for i, j in np.ndindex(kernel_h, kernel_w):
                tap = part * taps + i * kernel_w + j
                y = r * stride - padding + i * dilation
                z = s * stride - padding + j * dilation
                y += offset[b, 2 * tap, r, s]
                z += offset[b, 2 * tap + 1, r, s]
                value = (bilinear((height, width), y, z) * x[b, channel]).sum()
                if mask is not None:
                    value *= mask[b, tap, r, s]
                total += weight[o, c, i, j] * value
        out[b, o, r, s] = total
    return out


def deform_attention(value, shapes, locations, weights):
    """Multi-scale deformable attention, (B, queries, h * d)."""
    images, _, heads, dims = value.shape
    out = np.zeros((images, locations.shape[1], heads, dims))
    for b, q, h, level, point in np.ndindex(weights.shape):
        height, width = shapes[level]
        start = sum(int(a * c) for a, c in shapes[:level])
        tokens = value[b, start : start + height * width, h]
        x, y = locations[b, q, h, level, point]
        place = bilinear((height, width), y * height - 0.5, x * width - 0.5)
        out[b, q, h] += weights[b, q, h, level, point] * (
            place.flatten() @ tokens
        )
    return out.reshape(images, locations.shape[1], -1)
