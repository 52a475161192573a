#include "worker/trainer/run_state.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "worker/trainer/artifacts.h"
#include "worker/trainer/modes/mode.h"

namespace quantry::trainer {

RunState::RunState(RunOptions run_options, const ModeDef& mode_def,
                   std::filesystem::path output_folder, EventSink& event_sink,
                   const Clock& run_clock, std::function<bool()> is_interrupted,
                   engine::Collective* run_ranks)
    : options(std::move(run_options)),
      mode(mode_def),
      output(std::move(output_folder)),
      sink(event_sink),
      clock(run_clock),
      interrupted(std::move(is_interrupted)),
      progress(event_sink, run_clock),
      ranks(run_ranks == nullptr ? alone : *run_ranks) {}

absl::Status RunState::CheckInterrupted() const {
  return interrupted() ? absl::CancelledError("interrupted") : ranks.Health();
}

RunState::TimedWork RunState::BeginWork(const engine::Loader& loader) const {
  return {.start = clock.Monotonic(), .stats = loader.Stats()};
}

void RunState::SendMetrics(absl::string_view subject, int64_t epoch, int64_t step,
                           const engine::Loader& loader, const engine::TaskMetrics& metrics,
                           const TimedWork& work) {
  const double seconds = absl::ToDoubleSeconds(clock.Monotonic() - work.start);
  const double waited = (loader.Stats() - work.stats).wait_seconds;
  v1::TrainerEvent event;
  v1::Metrics& message = *event.mutable_metrics();
  message.set_subject(std::string(subject));
  message.set_epoch(static_cast<int32_t>(epoch));
  message.set_step(step);
  message.set_examples(metrics.examples());
  if (metrics.kind() != engine::TargetKind::kNone) message.set_loss(metrics.loss());
  if (metrics.kind() == engine::TargetKind::kClass) {
    message.set_top1(metrics.top1());
    message.set_top5(metrics.top5());
  }
  message.set_seconds(seconds);
  for (const engine::NamedMetric& value : metrics.Values()) {
    v1::TaskMetric& added = *message.add_values();
    added.set_name(std::string(value.name));
    added.set_value(value.value);
  }
  if (message.values_size() > 0) message.set_score(message.values(0).name());
  message.set_corrupt(loader.num_corrupt());
  if (seconds > 0.0) message.set_data_wait_share(std::clamp(waited / seconds, 0.0, 1.0));
  record.metrics.push_back(message);
  sink.Send(event);
}

absl::Status RunState::AnnounceArtifact(const std::string& name) {
  QUANTRY_ASSIGN_OR_RETURN(const v1::Artifact artifact, DescribeArtifact(output / name));
  record.bytes[name] = artifact.size_bytes();
  v1::TrainerEvent event;
  *event.mutable_artifact() = artifact;
  sink.Send(event);
  return absl::OkStatus();
}

const engine::Graph& RunState::FloatGraph() const {
  return mode.trains && !mode.quantizes ? model : inputs.model;
}

}  // namespace quantry::trainer
