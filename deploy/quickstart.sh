#!/usr/bin/env bash
# From a bare Debian 12 to quantized models: installs what is missing, builds, starts a server and a
# worker on this machine, trains MobileNetV2 on rendered characters, quantizes it five ways, and
# prints a table.
#
# Usage: deploy/quickstart.sh [--keep-running] [--stop] [--dir FOLDER] [--epochs N]
#   --keep-running  leave the server and the worker running at the end (--stop ends them)
#   --stop          stop what an earlier --keep-running left, and exit
#   --dir FOLDER    where everything is kept (default: build/quickstart)
#   --epochs N      epochs of the float training (default: 5; fewer is quicker and less accurate)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source deploy/packages.sh

work=$PWD/build/quickstart keep=false stop_only=false float_epochs=5
while (($#)); do
  case $1 in
    --keep-running) keep=true ;;
    --stop) stop_only=true ;;
    --dir) work=$(realpath -m "${2:?--dir needs a folder}") && shift ;;
    --epochs) float_epochs=${2:?--epochs needs a number} && shift ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) echo "quickstart: unknown option '$1'; see --help" >&2 && exit 2 ;;
  esac
  shift
done

bin=$PWD/build/release/bin
started=$SECONDS
say() { printf '\n== %s  [%dm%02ds]\n' "$*" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)); }

stop_program() {  # stop_program NAME: ends the program whose process id is in NAME.pid
  local pid
  [[ -s $work/$1.pid ]] || return 0
  pid=$(<"$work/$1.pid")
  if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == quantry-* ]]; then
    kill "$pid" 2>/dev/null || true
    # A worker may first stop its trainer and send the checkpoint.
    for _ in $(seq 300); do [[ -e /proc/$pid ]] || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  fi
  rm -f "$work/$1.pid"
}
stop_all() { stop_program worker; stop_program server; }

wait_for() {  # wait_for NAME WHAT COMMAND...: until the command succeeds; shows NAME.log otherwise
  local name=$1 what=$2
  shift 2
  for _ in $(seq 300); do
    "$@" 2>/dev/null && return 0
    [[ -e /proc/$(<"$work/$name.pid") ]] || break
    sleep 0.2
  done
  echo "quickstart: quantry-$name did not come up ($what); the end of $work/$name.log:" >&2
  tail -n 20 "$work/$name.log" >&2
  exit 1
}

if $stop_only; then
  stop_all
  echo "Stopped."
  exit 0
fi

mkdir -p "$work"
say "Packages"
quantry_install "${QUANTRY_BUILD_PACKAGES[@]}" jq bsdextrautils

say "Build"
if [[ ! -e build/release/build.ninja ]]; then
  # ccache makes a first build slower, and this one is seldom repeated.
  cmake --preset release -DQUANTRY_BUILD_TESTS=OFF -DQUANTRY_CCACHE=OFF \
    >"$work/configure.log" 2>&1 ||
    { tail -n 20 "$work/configure.log" >&2; exit 1; }
fi
cmake --build --preset release --target quantry-server quantry-worker quantry-trainer quantry

say "Server and worker"
stop_all
# The address file of an earlier run would be taken for the new one.
rm -f "$work/server/server.addr"
setsid "$bin/quantry-server" --listen 127.0.0.1:0 --metrics 127.0.0.1:0 \
  --data-dir "$work/server" >"$work/server.log" 2>&1 </dev/null &
echo $! >"$work/server.pid"
$keep || trap stop_all EXIT
wait_for server "its address" test -s "$work/server/server.addr"
address=$(sed -n 's/^listen=//p' "$work/server/server.addr")
metrics=$(sed -n 's/^metrics=//p' "$work/server/server.addr")
setsid "$bin/quantry-worker" --server "$address" --data-dir "$work/worker" --device auto \
  >"$work/worker.log" 2>&1 </dev/null &
echo $! >"$work/worker.pid"
export QUANTRY_SERVER=$address
worker_is_there() { "$bin/quantry" --json capabilities | jq -e '.workers | length > 0' >/dev/null; }
wait_for worker "its registration" worker_is_there
echo "server $address, metrics http://$metrics/metrics, logs in $work"

dataset='synthetic://glyphs?classes=36&size=32&train=16000&val=2000&difficulty=0.35&seed=1'
# The characters already stand at random places: cropping at random as well only costs epochs.
common=(--dataset "$dataset" --set batch_size=64 --set random_crop=false)

declare -a rows=()
job='' # name of the job that ran last
run_job() {  # run_job TITLE OPTION...: submits, follows, and remembers a line of the table
  local title=$1 state
  shift
  say "$title"
  job=$("$bin/quantry" --json submit --name "$title" "${common[@]}" "$@" | jq -r .name)
  "$bin/quantry" watch "$job" || { echo "$title failed; see: quantry logs $job" >&2; exit 1; }
  state=$("$bin/quantry" --json get "$job")
  "$bin/quantry" download "$job" --output "$work/artifacts/${title// /-}" >/dev/null
  rows+=("$(jq -r --arg title "$title" '
    def seconds: sub("\\.[0-9]+Z$"; "Z") | fromdateiso8601;
    .result as $r | ["MobileNetV2 x0.5", $title, (.spec.mode | sub("MODE_"; "") | ascii_downcase),
      (if $r.weightBits then "\($r.weightBits)/\($r.activationBits)" else "32/32" end),
      ((($r.artifactTop1 // $r.floatTop1 // 0) * 10000 | round) / 100),
      (((($r.modelSizeBytes // "0") | tonumber) as $q |
        (if $q > 0 then $q else ($r.floatModelSizeBytes | tonumber) end)) / 1000 | round),
      ((.endTime | seconds) - (.startTime | seconds))] | @tsv' <<<"$state")")
}

run_job "Float" --model "builtin:mobilenet_v2?width=0.5" --mode float \
  --set epochs="$float_epochs" --set learning_rate=0.05 --set warmup_epochs=1
float=$job
w4a4=(--set quant.weight_bits=4 --set quant.activation_bits=4)
# Few bits move the weights far from where float training left them: a larger rate, more epochs.
w4a4_qat=(--mode qat "${w4a4[@]}" --set learning_rate=0.03 --set epochs=5)
run_job "W8A8 PTQ" --model "job:$float" --mode ptq
run_job "W8A8 QAT" --model "job:$float" --mode qat --set learning_rate=0.01 --set epochs=1
run_job "W4A4 PTQ" --model "job:$float" --mode ptq "${w4a4[@]}"
run_job "W4A4 QAT" --model "job:$float" "${w4a4_qat[@]}"
run_job "W4A4 QAT PACT" --model "job:$float" "${w4a4_qat[@]}" \
  --set quant.activation_preprocess_type=PACT

say "MobileNetV2 (width 0.5) on 36 kinds of characters, accuracy of the written files"
{
  printf 'model\trun\tmode\tW/A bits\ttop-1 %%\tfile kB\tseconds\n'
  printf '%s\n' "${rows[@]}"
} | tee "$work/table.tsv" | column -t -s $'\t'
echo
echo "Artifacts:  $work/artifacts/  (model.onnx, model.float.onnx, report.json of each run)"
if $keep; then
  echo "Running:    server at $address; stop it with: deploy/quickstart.sh --stop"
  echo "Next:       export QUANTRY_SERVER=$address; $bin/quantry list"
else
  echo "Stopped the server and the worker (--keep-running leaves them on)."
fi
