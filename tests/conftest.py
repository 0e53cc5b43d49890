"""What all tests share."""

import torch
from hypothesis import settings

# A busy machine is no finding.
settings.register_profile("paretoib", deadline=None)
settings.load_profile("paretoib")

# Tests work on small tensors, which several threads take longer for than one.
torch.set_num_threads(1)
