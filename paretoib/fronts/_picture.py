"""The file formats and the axes of pictures."""

from typing import Literal

ImageFormat = Literal["png", "pdf", "svg"]
RateAxis = Literal["linear", "log"]
