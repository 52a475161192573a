# One file, four images: docker build --target server|worker|client|prometheus .

FROM debian:bookworm-slim AS debian
# Without this file apt leaves what it downloads in the cache mounts below, for the next build.
RUN rm -f /etc/apt/apt.conf.d/docker-clean
ARG DEBIAN_FRONTEND=noninteractive

FROM debian AS build
WORKDIR /src
COPY deploy/packages.sh deploy/packages.sh
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    bash -c 'source deploy/packages.sh && quantry_install "${QUANTRY_BUILD_PACKAGES[@]}"'
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY proto proto
COPY common common
COPY worker worker
COPY server server
COPY client client
RUN --mount=type=cache,target=/root/.cache/ccache \
    cmake --preset release -DQUANTRY_BUILD_TESTS=OFF && \
    cmake --build --preset release \
      --target quantry-server quantry-worker quantry-trainer quantry && \
    install --strip -D --target-directory=/out build/release/bin/* && \
    rm -rf build

FROM debian AS base
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/quantry --shell /usr/sbin/nologin \
      quantry && \
    install --directory --owner=quantry --group=quantry --mode=0750 /var/lib/quantry
WORKDIR /var/lib/quantry

FROM base AS control
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update -q && apt-get install -y -q --no-install-recommends \
      libgrpc++1.51 libprotobuf32 libspdlog1.10 libprometheus-cpp-core1.0 \
      libprometheus-cpp-pull1.0 libsqlite3-0 libpq5 libssl3

FROM control AS server
COPY --from=build /out/quantry-server /out/quantry /usr/local/bin/
USER quantry
VOLUME /var/lib/quantry
EXPOSE 7070 9090
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=5 \
  CMD ["quantry", "--server", "localhost:7070", "capabilities"]
ENTRYPOINT ["quantry-server", "--listen", "0.0.0.0:7070", "--metrics", "0.0.0.0:9090", \
            "--data-dir", "/var/lib/quantry"]

FROM control AS worker
# LibTorch brings all of OpenCV, that brings windows, and those bring graphics drivers and their
# compilers, which are loaded for a screen alone.
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update -q && apt-get install -y -q --no-install-recommends \
      -o 'Dpkg::Options::=--path-exclude=/usr/lib/*/dri/*' \
      -o 'Dpkg::Options::=--path-exclude=/usr/lib/*/libLLVM-*' \
      -o 'Dpkg::Options::=--path-exclude=/usr/lib/*/libz3.*' \
      libtorch1.13 libonnx1 libopencv-core406 libopencv-imgproc406 libopencv-imgcodecs406 \
      zlib1g libcurl4 libpugixml1v5 ca-certificates libopenblas0-openmp
COPY --from=build /out/quantry-worker /out/quantry-trainer /usr/local/bin/
USER quantry
VOLUME /var/lib/quantry
EXPOSE 9091
# The metrics are served; bash speaks HTTP here, so that the image needs no other client.
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=5 \
  CMD bash -c 'exec 3<>/dev/tcp/localhost/9091 && printf "GET /metrics HTTP/1.0\r\n\r\n" >&3 && \
               grep -q quantry_worker_build_info <&3'
ENTRYPOINT ["quantry-worker", "--metrics", "0.0.0.0:9091", "--data-dir", "/var/lib/quantry"]

FROM control AS client
COPY --from=build /out/quantry /usr/local/bin/
USER quantry
ENTRYPOINT ["quantry"]

FROM base AS prometheus
# The time zones' sources are half of the image and nothing reads them.
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update -q && apt-get install -y -q --no-install-recommends \
      -o 'Dpkg::Options::=--path-exclude=/usr/share/javascript/moment-timezone/data/*' prometheus
COPY deploy/prometheus/prometheus.yml /etc/prometheus/prometheus.yml
USER quantry
VOLUME /var/lib/quantry
EXPOSE 9099
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=5 \
  CMD ["promtool", "query", "instant", "http://localhost:9099", "1"]
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", \
            "--storage.tsdb.path=/var/lib/quantry", "--web.listen-address=0.0.0.0:9099"]
