#include "client/job_watcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/transfer/channel.h"
#include "client/transfer/grpc_status.h"

namespace quantry::client {
namespace {

// Whether opening the stream again can help. RESOURCE_EXHAUSTED is how a server sheds a watcher
// that reads too slowly.
bool CanReconnect(const absl::Status& status) {
  return IsTransient(status) || absl::IsResourceExhausted(status);
}

}  // namespace

JobWatcher::JobWatcher(const JobClient& client, std::string job, JobWatchOptions options)
    : channel_(client.channel()),
      stub_(v1::JobService::NewStub(channel_)),
      job_(std::move(job)),
      options_(options),
      last_sequence_(options.after_sequence) {}

absl::Status JobWatcher::Run(const OnEvent& on_event, const OnReconnect& on_reconnect) {
  RetryOptions first = options_.retry;
  first.give_up_after = std::min(first.give_up_after, options_.give_up_first_after);
  std::optional<Backoff> backoff(first);
  bool gap_before = false;
  while (true) {
    const StreamEnd end = ReadStream(on_event);
    if (end.finished) return absl::OkStatus();
    if (stopped()) return absl::CancelledError("the watch was stopped");
    if (end.gap && gap_before && !end.progressed) return end.status;
    gap_before = end.gap;
    if (!end.gap && !CanReconnect(end.status)) return end.status;
    if (end.progressed) backoff.emplace(options_.retry);
    if (backoff->Expired()) {
      return absl::UnavailableError(absl::StrCat("the watch of ", job_, " broke after event ",
                                                 last_sequence_, ": ", end.status.message()));
    }
    const absl::Duration pause = backoff->Next();
    if (on_reconnect) on_reconnect(end.status, pause);
    WaitForRetry(*channel_, pause, [this] { return stopped(); });
  }
}

JobWatcher::StreamEnd JobWatcher::ReadStream(const OnEvent& on_event) {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return {};
    open_stream_ = &context;
  }
  v1::WatchJobRequest request;
  request.set_name(job_);
  request.set_after_sequence(last_sequence_);
  const auto stream = stub_->WatchJob(&context, request);

  StreamEnd end;
  v1::Event event;
  while (!end.finished && !end.gap && stream->Read(&event)) {
    if (event.sequence() <= last_sequence_) continue;
    if (event.sequence() != last_sequence_ + 1) {
      end.gap = true;
      break;
    }
    last_sequence_ = event.sequence();
    end.progressed = true;
    const bool more = on_event(event);
    end.finished = !more || (event.has_state_change() && IsTerminal(event.state_change().state()));
  }
  if (end.finished || end.gap) context.TryCancel();
  const grpc::Status status = stream->Finish();
  {
    absl::MutexLock lock(&mutex_);
    open_stream_ = nullptr;
  }
  if (end.gap) {
    end.status = absl::DataLossError(absl::StrCat("event ", event.sequence(), " of ", job_,
                                                  " follows event ", last_sequence_,
                                                  "; those between are missing"));
  } else {
    // The server ends a watch with OK only when the job has ended: before after_sequence, if no
    // event told it.
    end.finished = end.finished || status.ok();
    end.status = FromGrpc(status);
  }
  return end;
}

void JobWatcher::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (open_stream_ != nullptr) open_stream_->TryCancel();
}

bool JobWatcher::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

bool IsTerminal(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

}  // namespace quantry::client
