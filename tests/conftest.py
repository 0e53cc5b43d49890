"""What all tests share."""

from hypothesis import settings

# A busy machine is no finding.
settings.register_profile("paretoib", deadline=None)
settings.load_profile("paretoib")
