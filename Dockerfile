# One file, four images: docker build --target server|worker|client|prometheus .

FROM debian:bookworm-slim AS build
WORKDIR /src
COPY deploy/packages.sh deploy/packages.sh
RUN bash -c 'source deploy/packages.sh && quantry_install "${QUANTRY_BUILD_PACKAGES[@]}"'
COPY . .
RUN cmake --preset release -DQUANTRY_BUILD_TESTS=OFF && \
    cmake --build --preset release \
      --target quantry-server quantry-worker quantry-trainer quantry && \
    strip build/release/bin/*

FROM debian:bookworm-slim AS base
RUN useradd --system --uid 10001 --home-dir /var/lib/quantry --create-home quantry

FROM base AS control
RUN apt-get update -q && apt-get install -y -q --no-install-recommends \
      libgrpc++1.51 libprotobuf32 libspdlog1.10 libprometheus-cpp-core1.0 libprometheus-cpp-pull1.0 \
      libsqlite3-0 libssl3 && rm -rf /var/lib/apt/lists/*

FROM control AS server
COPY --from=build /src/build/release/bin/quantry-server /usr/local/bin/
COPY --from=build /src/build/release/bin/quantry /usr/local/bin/
USER quantry
VOLUME /var/lib/quantry
EXPOSE 7070 9090
HEALTHCHECK --interval=5s --timeout=5s --start-period=5s --retries=5 \
  CMD ["quantry", "--server", "localhost:7070", "capabilities"]
ENTRYPOINT ["quantry-server", "--listen", "0.0.0.0:7070", "--metrics", "0.0.0.0:9090", \
            "--data-dir", "/var/lib/quantry"]

FROM control AS worker
RUN apt-get update -q && apt-get install -y -q --no-install-recommends \
      libtorch1.13 libonnx1 libopencv-core406 libopencv-imgproc406 libopencv-imgcodecs406 \
      libopenblas0-openmp && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/build/release/bin/quantry-worker /usr/local/bin/
COPY --from=build /src/build/release/bin/quantry-trainer /usr/local/bin/
USER quantry
VOLUME /var/lib/quantry
EXPOSE 9091
ENTRYPOINT ["quantry-worker", "--metrics", "0.0.0.0:9091", "--data-dir", "/var/lib/quantry"]

FROM control AS client
COPY --from=build /src/build/release/bin/quantry /usr/local/bin/
USER quantry
ENTRYPOINT ["quantry"]

FROM base AS prometheus
RUN apt-get update -q && apt-get install -y -q --no-install-recommends prometheus && \
    rm -rf /var/lib/apt/lists/*
COPY deploy/prometheus/prometheus.yml /etc/prometheus/prometheus.yml
USER quantry
VOLUME /var/lib/quantry
EXPOSE 9099
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", \
            "--storage.tsdb.path=/var/lib/quantry", "--web.listen-address=0.0.0.0:9099"]
