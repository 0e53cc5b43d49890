"""The errors of paretoib, one class for each cause. `service/problems.py` sets the HTTP status."""


class ParetoIBError(Exception):
    """Base class of the errors that paretoib raises; the text is one line for the user."""


class SpecError(ParetoIBError):
    """A spec is invalid; the text has the field, the rule and the value."""


class DataError(ParetoIBError):
    """A data set is missing, corrupt or truncated, or does not match the spec."""


class NotFoundError(ParetoIBError):
    """The store does not hold the sweep or trial, or an id prefix matches several sweeps."""


class StoreError(ParetoIBError):
    """The store cannot be read or written."""


class StoreUnavailableError(StoreError):
    """The store is unavailable at the moment; the same call may succeed later."""


class InvalidDataError(StoreError):
    """The store refuses the data of this call for good; it may accept other data."""


class DeletedExperimentError(StoreError):
    """The MLflow experiment of a data set was deleted; the text says how to restore it."""


class ModelNotStoredError(StoreError):
    """The store did not take the model file of the trial `trial`; its record can be stored.

    If `retryable`, the same call may succeed later.
    """

    def __init__(self, message: str, trial: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.trial = trial
        self.retryable = retryable


class TakenOverError(StoreError):
    """Another writer has taken over the sweep."""


class ComparisonError(ParetoIBError):
    """Sweeps cannot be compared: their data differ, or a side has no point with a finite rate."""


class FilterError(ParetoIBError):
    """A condition on trials is invalid, or no trial satisfies all conditions."""


class ChoiceError(ParetoIBError):
    """A rule that chooses a setting is invalid, or no setting satisfies it."""


class OutOfMemoryError(ParetoIBError):
    """A pack of trials does not fit into the memory of its device."""


class ClusterError(ParetoIBError):
    """The Ray cluster cannot be reached, is too small for a pack, or cannot run a job."""


class ServiceError(ParetoIBError):
    """The service cannot be reached, or refuses a request."""


class ServiceUnavailableError(ServiceError):
    """The service is unavailable at the moment; the same request may succeed later."""


class ServiceFaultError(ServiceUnavailableError):
    """The service failed with an internal error (HTTP 500)."""
