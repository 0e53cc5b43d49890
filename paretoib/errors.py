"""What can go wrong, as a person would name it. No HTTP and no exit codes in here."""


class ParetoIBError(Exception):
    """The base of every error that paretoib raises on purpose; its text is one plain line."""


class SpecError(ParetoIBError):
    """A sweep or trial that cannot be run as written: names the field, the rule and the value."""


class DataError(ParetoIBError):
    """A data set that is absent, corrupt or truncated, or that does not fit what was asked."""


class NotFoundError(ParetoIBError):
    """A sweep or trial that the store does not hold, or a reference that fits several."""


class StoreError(ParetoIBError):
    """The store cannot be read or written."""


class StoreAwayError(StoreError):
    """The store does not answer at the moment; the same call may succeed later."""


class TakenOverError(StoreError):
    """Another process writes the sweep, which it has taken over."""


class ComparisonError(ParetoIBError):
    """Sweeps that no common ruler measures: other data, other splits."""


class OutOfMemoryError(ParetoIBError):
    """A pack of trials does not fit into the memory of its device."""


class ClusterError(ParetoIBError):
    """A Ray cluster that cannot be reached, or that refuses what it was asked."""


class ServiceError(ParetoIBError):
    """A service that cannot be reached, or that refuses what it was asked."""


class ServiceAwayError(ServiceError):
    """The service does not answer at the moment; the same request may succeed later."""


class ServiceFaultError(ServiceAwayError):
    """A fault of the service's own, with nothing wrong in what it was asked."""
