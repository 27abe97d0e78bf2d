"""Types in configs: names as text, or the classes of a pure-Python config."""


def type_name(cfg: dict) -> str:
    """Return the name of a config's `type`, without its scope.

    'mmdet.CocoDataset', 'CocoDataset' and the class itself give 'CocoDataset';
    a config without a type gives ''.
    """
    kind = cfg.get('type') or ''
    name = kind if isinstance(kind, str) else kind.__name__
    return name.rpartition('.')[2]
