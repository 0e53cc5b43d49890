# Two targets: `cpu` for all services, `cuda` for workers with an NVIDIA GPU. The default torch
# package includes CUDA's libraries; the host needs the driver and NVIDIA's container toolkit.

FROM python:3.11.14-slim-bookworm AS base
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --create-home paretoib \
    && install --directory --owner paretoib --group paretoib /artifacts /data /state
COPY constraints.txt /

FROM base AS wheel
COPY . /source
RUN pip wheel --no-deps --wheel-dir /wheels /source

FROM base AS cuda
RUN pip install --constraint /constraints.txt torch
COPY --from=wheel /wheels /wheels
RUN pip install --constraint /constraints.txt "$(echo /wheels/*.whl)[postgres]"
USER paretoib
WORKDIR /state

FROM base AS cpu
# A package index with CPU builds of torch. Their version, such as 2.10.0+cpu, sorts after 2.10.0,
# so pip prefers them.
ARG TORCH_INDEX=
RUN pip install --constraint /constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch
COPY --from=wheel /wheels /wheels
RUN pip install --constraint /constraints.txt "$(echo /wheels/*.whl)[postgres]"
USER paretoib
WORKDIR /state
