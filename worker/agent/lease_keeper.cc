#include "worker/agent/lease_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace quantry::agent {
namespace {

constexpr absl::Duration kRetryDelay = absl::Seconds(1);
constexpr absl::Duration kMaxTimeout = absl::Seconds(5);  // the end of an attempt waits for it
constexpr absl::Duration kMinTimeout = absl::Milliseconds(500);

}  // namespace

LeaseKeeper::LeaseKeeper(v1::Lease lease, LeaseTiming timing, WorkerApi& api,
                         WorkerMetrics& metrics, const Clock& clock)
    : lease_(std::move(lease)),
      timing_(timing),
      api_(api),
      metrics_(metrics),
      clock_(clock),
      renewed_(clock.Monotonic()),
      thread_([this] { Run(); }) {}

LeaseKeeper::~LeaseKeeper() {
  {
    const std::lock_guard lock(stop_mutex_);
    stopped_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

bool LeaseKeeper::IsLost() const {
  absl::MutexLock lock(&mutex_);
  if (!lost_ && clock_.Monotonic() - renewed_ >= timing_.lease_duration) {
    LoseLocked(absl::StrCat("not renewed for ", absl::FormatDuration(timing_.lease_duration)));
  }
  return lost_;
}

std::string LeaseKeeper::lost_reason() const {
  absl::MutexLock lock(&mutex_);
  return lost_reason_;
}

bool LeaseKeeper::IsCancelRequested() const {
  absl::MutexLock lock(&mutex_);
  return cancel_requested_;
}

bool LeaseKeeper::IsYieldRequested() const {
  absl::MutexLock lock(&mutex_);
  return yield_requested_;
}

void LeaseKeeper::Observe(const absl::Status& answer) {
  if (!IsLeaseGone(answer)) return;
  absl::MutexLock lock(&mutex_);
  LoseLocked(std::string(answer.message()));
}

void LeaseKeeper::LoseLocked(absl::string_view reason) const {
  if (lost_) return;
  lost_ = true;
  lost_reason_ = std::string(reason);
}

void LeaseKeeper::Run() {
  while (!IsLost()) {
    if (WaitUnlessStopped(Renew())) return;
  }
}

bool LeaseKeeper::WaitUnlessStopped(absl::Duration timeout) {
  std::unique_lock lock(stop_mutex_);
  return stop_.wait_for(lock, absl::ToChronoNanoseconds(timeout), [this] { return stopped_; });
}

absl::Duration LeaseKeeper::Renew() {
  const absl::Duration sent = clock_.Monotonic();
  absl::Duration left;
  {
    absl::MutexLock lock(&mutex_);
    left = renewed_ + timing_.lease_duration - sent;
  }
  const absl::Duration timeout =
      std::max(kMinTimeout, std::min({left, timing_.heartbeat_interval, kMaxTimeout}));
  const auto response = api_.Heartbeat(lease_, timeout);
  if (response.ok()) {
    absl::MutexLock lock(&mutex_);
    renewed_ = std::max(renewed_, sent);
    cancel_requested_ = cancel_requested_ || response->cancel();
    yield_requested_ = response->yield();
    return timing_.heartbeat_interval;
  }
  metrics_.CountHeartbeatFailure();
  spdlog::warn("heartbeat failed job={} attempt={} error=\"{}\"", lease_.job(), lease_.attempt(),
               response.status().ToString(absl::StatusToStringMode::kWithNoExtraData));
  Observe(response.status());
  return std::min(kRetryDelay, timing_.heartbeat_interval);
}

}  // namespace quantry::agent
