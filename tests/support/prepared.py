"""What is imported before the forks of `processes`."""

from .processes import prepare

prepare()
