#!/usr/bin/env bash
# Installs what the tests need, builds, and runs them.
# Usage: tests/run.sh [--full] [PRESET ...]
#   PRESET  release, asan, tsan or dev; default: release asan
#   --full  adds the long tests (label "long") to those of release, and runs each fuzzer for a minute
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source deploy/packages.sh

full=false presets=()
for argument in "$@"; do
  case $argument in
    --full) full=true ;;
    dev | release | asan | tsan) presets+=("$argument") ;;
    *) echo "run.sh: unknown argument '$argument'; allowed: --full dev release asan tsan" >&2 && exit 2 ;;
  esac
done
((${#presets[@]})) || presets=(release asan)

quantry_install "${QUANTRY_BUILD_PACKAGES[@]}" "${QUANTRY_TEST_PACKAGES[@]}"
command -v node >/dev/null && command -v npm >/dev/null || quantry_install nodejs npm
# The runtime that serves the artifacts. Its npm package carries the CPU library.
runtime=build/onnxruntime
if [[ ! -d $runtime/node_modules/onnxruntime-node/bin ]]; then
  mkdir -p "$runtime"
  npm install --prefix "$runtime" --ignore-scripts --no-audit --no-fund --loglevel=error \
    onnxruntime-node@1.30.0
fi

export ASAN_OPTIONS=detect_leaks=0:strict_string_checks=1:detect_stack_use_after_return=0
export UBSAN_OPTIONS=print_stacktrace=1:suppressions=$PWD/tests/house/ubsan.supp
export TSAN_OPTIONS=suppressions=$PWD/tests/house/tsan.supp

for preset in "${presets[@]}"; do
  echo "== $preset"
  cmake --preset "$preset" -DQUANTRY_BUILD_TESTS=ON >"build/configure-$preset.log" 2>&1 ||
    { tail -n 30 "build/configure-$preset.log" >&2; exit 1; }
  cmake --build --preset "$preset"
  labels=(-LE long)
  fuzz=()
  if $full && [[ $preset == release ]]; then
    labels=()
    fuzz=(QUANTRY_FUZZ_SECONDS=60 QUANTRY_FUZZ_ROUNDS=3000)
  fi
  env "${fuzz[@]}" ctest --preset "$preset" --no-tests=error -j "$(nproc)" "${labels[@]}"
done
