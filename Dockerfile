# lsafnet with the CPU build of PyTorch; docs/install.md has the commands, and the two arguments for CUDA.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# libexpat1: what GDAL in rasterio's wheels takes from the system. Python: where the base has none.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libexpat1 \
    && (command -v python3 || apt-get install -y --no-install-recommends python3 python3-venv) \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/lsafnet
ENV PATH=/opt/lsafnet/bin:${PATH}

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-cache-dir "torch>=2.6" --index-url "${TORCH_INDEX}"

COPY pyproject.toml README.md LICENSE NOTICE /src/
COPY lsafnet_cli /src/lsafnet_cli
COPY models /src/models
RUN pip install --no-cache-dir "/src[parquet,plot,stac]" && rm -rf /src && lsafnet --version

RUN useradd --create-home lsafnet
USER lsafnet
WORKDIR /data
ENTRYPOINT ["lsafnet"]
CMD ["--help"]
