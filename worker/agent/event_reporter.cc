#include "worker/agent/event_reporter.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "client/transfer/grpc_status.h"

namespace quantry::agent {
namespace {

constexpr size_t kMaxBatchEvents = 256;
constexpr size_t kMaxBatchBytes = size_t{1} << 20;

}  // namespace

EventReporter::EventReporter(EventQueue& queue, LeaseKeeper& keeper, WorkerApi& api,
                             WorkerMetrics& metrics, client::RetryOptions retry)
    : queue_(queue), keeper_(keeper), api_(api), metrics_(metrics), retry_(retry), thread_([this] {
        Run();
      }) {}

EventReporter::~EventReporter() { Finish(); }

void EventReporter::Finish() {
  queue_.Close();
  if (thread_.joinable()) thread_.join();
}

void EventReporter::Run() {
  while (true) {
    std::vector<v1::TrainerEvent> batch = queue_.Take(kMaxBatchEvents, kMaxBatchBytes);
    if (batch.empty()) return;
    Send(std::move(batch));
  }
}

void EventReporter::Send(std::vector<v1::TrainerEvent> batch) {
  const auto count = static_cast<int64_t>(batch.size());
  v1::ReportEventsRequest request;
  *request.mutable_lease() = keeper_.lease();
  request.set_first_number(next_number_);
  for (v1::TrainerEvent& event : batch) *request.add_events() = std::move(event);
  client::Backoff backoff(retry_);
  while (!keeper_.IsLost()) {
    const auto response = api_.ReportEvents(request);
    if (response.ok()) {
      next_number_ = response->next_number();
      return;
    }
    keeper_.Observe(response.status());
    if (keeper_.IsLost()) break;
    if (!client::IsTransient(response.status())) {
      spdlog::error("events refused job={} first_number={} count={} error=\"{}\"",
                    keeper_.lease().job(), next_number_, count,
                    response.status().ToString(absl::StatusToStringMode::kWithNoExtraData));
      break;
    }
    api_.WaitForRetry(backoff.Next(), [this] { return keeper_.IsLost(); });
  }
  metrics_.CountEventsDropped(count);
}

}  // namespace quantry::agent
