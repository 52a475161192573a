#ifndef QUANTRY_WORKER_TRAINER_PROGRESS_H_
#define QUANTRY_WORKER_TRAINER_PROGRESS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/clock.h"
#include "quantry/v1/event.pb.h"
#include "worker/engine/data/loader.h"
#include "worker/trainer/event_sink.h"

namespace quantry::trainer {

// How reading the data goes.
struct DataState {
  engine::LoaderStats stats;  // since the loader was made
  int64_t corrupt = 0;        // examples left out so far
};

// Turns steps into Progress events, about one a second, and estimates the time left. Not
// thread-safe.
class ProgressReporter {
 public:
  // What one step of a phase did.
  struct Step {
    int64_t steps_done = 0;  // in this phase
    int64_t images = 0;
    // TRAINING only.
    int64_t epoch = 0;  // 1-based
    int64_t epochs = 0;
    std::optional<double> loss;  // mean over the images
    std::optional<double> top1_hits;
    std::optional<double> learning_rate;
  };

  // `sink` and `clock` must outlive the reporter.
  ProgressReporter(EventSink& sink, const Clock& clock) : sink_(sink), clock_(clock) {}

  // The work of the whole job: training steps, and batches of all evaluations together.
  void SetPlan(int64_t training_steps, int64_t evaluation_batches);

  // More evaluation batches than planned: runs of the model without gradients, whatever for.
  void AddEvaluationBatches(int64_t batches) { evaluation_batches_left_ += batches; }

  // Starts a phase, at step `first_step` of `steps`, and says so.
  void Begin(v1::Phase phase, absl::string_view subject, int64_t steps, int64_t first_step = 0);
  // What the phase is about at the moment; goes out with the next event.
  void SetSubject(absl::string_view subject) { progress_.set_subject(std::string(subject)); }
  // `data` of the loader that the step's batch came from, where there is one.
  void Advance(const Step& step, const std::optional<DataState>& data = std::nullopt);
  // Sends the phase's last state, if it was not sent yet.
  void End();

 private:
  void StartInterval();
  void Emit();
  void SetDataState(double seconds);
  std::optional<double> EtaSeconds() const;

  EventSink& sink_;
  const Clock& clock_;
  v1::Progress progress_;
  bool unsent_ = false;
  std::optional<DataState> data_;         // newest
  std::optional<DataState> data_before_;  // of the last event of this phase
  absl::Duration last_emit_;
  absl::Duration last_step_;
  // Since the last event.
  int64_t images_ = 0;
  int64_t measured_images_ = 0;  // with a loss
  int64_t scored_images_ = 0;    // with hits
  double loss_sum_ = 0.0;
  double top1_hits_ = 0.0;
  // Of the whole job.
  int64_t training_steps_left_ = 0;
  int64_t evaluation_batches_left_ = 0;
  double seconds_per_training_step_ = 0.0;     // 0: not known yet
  double seconds_per_evaluation_batch_ = 0.0;  // 0: not known yet
};

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_PROGRESS_H_
