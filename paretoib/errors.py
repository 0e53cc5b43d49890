"""The errors of paretoib, one class for each cause. HTTP and exit codes are chosen elsewhere."""


class ParetoIBError(Exception):
    """Base of every error that paretoib raises on purpose; its text is one line of plain words."""


class SpecError(ParetoIBError):
    """A sweep or trial cannot run as written; the text gives the field, the rule and the value."""


class DataError(ParetoIBError):
    """A data set is missing, corrupt or truncated, or does not fit its parameters."""


class NotFoundError(ParetoIBError):
    """The store does not hold the sweep or trial, or the reference fits several."""


class StoreError(ParetoIBError):
    """The store cannot be read or written."""


class StoreAwayError(StoreError):
    """The store is unavailable at the moment; the same call may succeed later."""


class TakenOverError(StoreError):
    """Another writer has taken over the sweep."""


class ComparisonError(ParetoIBError):
    """The sweeps have no common ruler, as their data or splits differ."""


class OutOfMemoryError(ParetoIBError):
    """A pack of trials does not fit into the memory of its device."""


class ClusterError(ParetoIBError):
    """The Ray cluster cannot be reached, or refuses a request."""


class ServiceError(ParetoIBError):
    """The service cannot be reached, or refuses a request."""


class ServiceAwayError(ServiceError):
    """The service is unavailable at the moment; the same request may succeed later."""


class ServiceFaultError(ServiceAwayError):
    """The service failed, although nothing was wrong with the request."""
