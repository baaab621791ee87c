"""Errors whose message is meant for the user: what was found, where, and what to do."""


class HcfError(Exception):
    """Base of all errors that a job reports in one line."""


class ConfigError(HcfError):
    """A setting or flag is unknown, missing or has a wrong value."""


class PlatformError(HcfError):
    """Java, Python or a library on this machine is missing or of a wrong version."""


class DataError(HcfError):
    """A table or file breaks the data contract in a way that quarantine cannot mend."""


class TrainingError(HcfError):
    """Training cannot start or did not give a usable model."""


class RegistryError(HcfError):
    """The model registry does not hold what was asked for."""
