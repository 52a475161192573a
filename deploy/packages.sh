# Debian packages, in one place: sourced by quickstart.sh, tests/run.sh and the Dockerfile's build.

QUANTRY_BUILD_PACKAGES=(
  build-essential cmake ninja-build ccache pkg-config
  libtorch-dev libdnnl-dev libhwy-dev libgloo-dev libonnx-dev libopencv-dev zlib1g-dev libcurl4-openssl-dev libpugixml-dev
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev
  libspdlog-dev prometheus-cpp-dev libsqlite3-dev libpq-dev libssl-dev libcli11-dev nlohmann-json3-dev
  # LibTorch's default BLAS is the slow reference one; this one replaces it.
  libopenblas0-openmp)

QUANTRY_TEST_PACKAGES=(
  libgtest-dev libgmock-dev
  # ONNX's own tests of its operators.
  libonnx-testdata
  # PyTorch is the peer that the engine is compared with.
  python3 python3-torch python3-torchvision python3-numpy python3-pil
  prometheus procps
  # The database that several servers share; its programs only, no service.
  postgresql postgresql-client
  # Certificates for tests.
  openssl)

# quantry_install PACKAGE...: installs what is missing, and asks for root rights only then.
quantry_install() {
  local missing=() package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || {
      echo "These packages are missing: ${missing[*]}. Install them as root, or install sudo." >&2
      return 1
    }
    as_root=(sudo)
  fi
  echo "Installing ${#missing[@]} Debian packages ..."
  "${as_root[@]}" apt-get update -q >/dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
    --no-install-recommends "${missing[@]}" </dev/null >"${TMPDIR:-/tmp}/quantry-apt.log" 2>&1 || {
    tail -n 20 "${TMPDIR:-/tmp}/quantry-apt.log" >&2
    echo "Installing packages failed; see ${TMPDIR:-/tmp}/quantry-apt.log" >&2
    return 1
  }
}
