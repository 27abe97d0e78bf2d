"""Where trainers keep the weights in their files, and under which names."""

from torch import Tensor

# Where the weights are in a checkpoint, by precedence: the moving average is
# in use only where the file has nothing else.
_PLACES = ('state_dict', 'model')
_AVERAGES = ('model_ema', 'state_dict_ema', 'ema_state_dict', 'ema')
_MAX_NESTED = 8  # a dictionary may hold itself
# What PyTorch Lightning writes, with the network as a part of its module
_LIGHTNING = 'pytorch-lightning_version'


def find_weights(content: object, average: bool = False) -> object:
    """Look through the dictionaries around a state dict.

    Args:
        content: What a file holds.
        average: Whether the moving average of the weights is taken where
            there are both.
    """
    places = (*_PLACES, *_AVERAGES)
    if average:
        places = (*_AVERAGES, *_PLACES)
    for _ in range(_MAX_NESTED):
        if not isinstance(content, dict):
            break
        # Not content.get: a file may give a dictionary other attributes.
        inner = (dict.get(content, place) for place in places)
        found = next((part for part in inner if isinstance(part, dict)), None)
        if found is None:
            break
        content = found
    return content


def is_state_dict(weights: object) -> bool:
    """Whether something is a state dict that is not empty."""
    return (
        isinstance(weights, dict)
        and len(weights) > 0
        and all(
            isinstance(name, str) and isinstance(value, Tensor)
            for name, value in dict.items(weights)
        )
    )


def plain_names(weights: dict, content: dict) -> dict[str, Tensor]:
    """Take off what a distributed or compiled run put before the names.

    `content` is the checkpoint around the state dict, or the same.

    Raises:
        ValueError: If two weights would have one name.
    """
    names = [
        key.replace('_orig_mod.', '').removeprefix('module.')
        for key in weights
    ]
    if _LIGHTNING in content:
        parts = {name.partition('.')[0] for name in names}
        if len(parts) == 1 and all('.' in name for name in names):
            names = [name.partition('.')[2] for name in names]
    renamed = dict(zip(names, dict.values(weights)))
    if len(renamed) < len(names):
        raise ValueError(
            'two of its weights differ only by "module." or "_orig_mod." in '
            'their names'
        )
    return renamed


def plain_checkpoint(content: object) -> object:
    """Put the weights of a checkpoint where OpenMMLab's libraries look.

    Returns:
        The checkpoint, with its weights under `state_dict` or at its top,
        under plain names. Content without weights is returned as it is.
    """
    weights = find_weights(content)
    if not is_state_dict(weights):
        return content
    renamed = plain_names(weights, content)
    if renamed.keys() == dict.keys(weights):
        renamed = weights  # with the versions of its modules
    if weights is content:
        return renamed
    if dict.get(content, 'state_dict') is renamed:
        return content
    return {**content, 'state_dict': renamed}
