# One image for every process: migrate, serve, worker, scheduler.
FROM python:3.12-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install --no-cache-dir "uv>=0.9,<1"
WORKDIR /weir
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-cache

FROM python:3.12-slim
# A name for the user is needed: initdb asks for it when the embedded servers are used in a container.
RUN useradd --system --uid 10001 --create-home weir && install -d -o weir -g weir /var/lib/weir-data
# The characters of most of Europe in PDF documents.
RUN apt-get update -qq && apt-get install -qq --no-install-recommends fonts-dejavu-core && rm -rf /var/lib/apt/lists/*
WORKDIR /weir
COPY --from=build /weir/.venv .venv
COPY . .
ENV PATH=/weir/.venv/bin:$PATH PYTHONPATH=/weir PYTHONUNBUFFERED=1 \
    WEIR_HOST=0.0.0.0 WEIR_DATA_DIR=/var/lib/weir-data WEIR_LOG_FORMAT=json
USER weir
VOLUME /var/lib/weir-data
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-P", "-m", "app.cli"]
CMD ["up"]
