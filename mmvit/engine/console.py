"""What a run shows on the screen; all of it is in the log file."""

import logging

# What mmengine writes before a run, hundreds of lines long: how each of these
# begins, and what is shown instead.
_LONG = {
    'System environment:': 'Environment',
    'Config:': 'Config',
    'Hooks will be executed': 'Hooks',
}


class BriefFormatter(logging.Formatter):
    """Formats as another formatter does, but shortens what precedes a run.

    Args:
        formatter: The other one.
        log_file: Where the whole text is.
    """

    def __init__(self, formatter: logging.Formatter, log_file: str) -> None:
        super().__init__()
        self.formatter = formatter
        self.log_file = log_file

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        for beginning, name in _LONG.items():
            if text.strip('-\n').startswith(beginning):
                number = len(text.strip().splitlines())
                brief = f'{name}: {number} lines in {self.log_file}'
                changed = dict(vars(record), msg=brief, args=())
                record = logging.makeLogRecord(changed)
        return self.formatter.format(record)


def be_brief(logger: logging.Logger) -> None:
    """Keep long texts off the screen if the logger also writes a file."""
    files = [h for h in logger.handlers if isinstance(h, logging.FileHandler)]
    for handler in logger.handlers:
        if files and handler not in files:
            brief = BriefFormatter(handler.formatter, files[0].baseFilename)
            handler.setFormatter(brief)
