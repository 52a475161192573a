#include "worker/trainer/progress.h"

#include <algorithm>
#include <string>

namespace quantry::trainer {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);
// Share of the newest step in the running mean of step times.
constexpr double kNewest = 0.05;
// A forward pass alone against a whole training step, until an evaluation was timed.
constexpr double kForwardShare = 0.4;

void Update(double& mean, double newest) {
  mean = mean == 0.0 ? newest : mean + kNewest * (newest - mean);
}

}  // namespace

void ProgressReporter::SetPlan(int64_t training_steps, int64_t evaluation_batches) {
  training_steps_left_ = training_steps;
  evaluation_batches_left_ = evaluation_batches;
}

void ProgressReporter::Begin(v1::Phase phase, absl::string_view subject, int64_t steps,
                             int64_t first_step) {
  progress_.Clear();
  progress_.set_phase(phase);
  progress_.set_subject(std::string(subject));
  progress_.set_steps(steps);
  progress_.set_step(first_step);
  data_.reset();
  data_before_.reset();
  StartInterval();
  last_emit_ = clock_.Monotonic();
  last_step_ = last_emit_;
  Emit();
}

void ProgressReporter::StartInterval() {
  images_ = 0;
  measured_images_ = 0;
  scored_images_ = 0;
  loss_sum_ = 0.0;
  top1_hits_ = 0.0;
}

void ProgressReporter::Advance(const Step& step, const std::optional<DataState>& data) {
  const absl::Duration now = clock_.Monotonic();
  const double seconds = absl::ToDoubleSeconds(now - last_step_);
  last_step_ = now;
  if (progress_.phase() == v1::PHASE_TRAINING) {
    Update(seconds_per_training_step_, seconds);
    training_steps_left_ = std::max<int64_t>(0, progress_.steps() - step.steps_done);
  } else if (progress_.phase() != v1::PHASE_CALIBRATING &&
             progress_.phase() != v1::PHASE_CORRECTING && progress_.phase() != v1::PHASE_ROUNDING) {
    Update(seconds_per_evaluation_batch_, seconds);
    evaluation_batches_left_ = std::max<int64_t>(0, evaluation_batches_left_ - 1);
  }
  images_ += step.images;
  if (step.loss) {
    measured_images_ += step.images;
    loss_sum_ += *step.loss * static_cast<double>(step.images);
  }
  if (step.top1_hits) {
    scored_images_ += step.images;
    top1_hits_ += *step.top1_hits;
  }
  if (data) data_ = data;
  progress_.set_step(step.steps_done);
  progress_.set_epoch(static_cast<int32_t>(step.epoch));
  progress_.set_epochs(static_cast<int32_t>(step.epochs));
  if (step.learning_rate) progress_.set_learning_rate(*step.learning_rate);
  unsent_ = true;
  if (now - last_emit_ >= kInterval) Emit();
}

void ProgressReporter::End() {
  if (unsent_) Emit();
}

void ProgressReporter::Emit() {
  const absl::Duration now = clock_.Monotonic();
  const double seconds = absl::ToDoubleSeconds(now - last_emit_);
  if (images_ > 0 && seconds > 0.0) {
    progress_.set_images_per_second(static_cast<double>(images_) / seconds);
  }
  SetDataState(seconds);
  if (measured_images_ > 0) {
    progress_.set_loss(loss_sum_ / static_cast<double>(measured_images_));
  }
  if (scored_images_ > 0) {
    progress_.set_top1(top1_hits_ / static_cast<double>(scored_images_));
  }
  progress_.clear_eta_seconds();
  if (const std::optional<double> eta = EtaSeconds()) progress_.set_eta_seconds(*eta);
  v1::TrainerEvent event;
  *event.mutable_progress() = progress_;
  sink_.Send(event);
  last_emit_ = now;
  StartInterval();
  unsent_ = false;
}

void ProgressReporter::SetDataState(double seconds) {
  if (!data_) return;
  progress_.set_corrupt(data_->corrupt);
  // The first interval of a phase has nothing to compare with.
  if (data_before_) {
    const engine::LoaderStats change = data_->stats - data_before_->stats;
    if (seconds > 0.0) {
      progress_.set_data_wait_share(std::clamp(change.wait_seconds / seconds, 0.0, 1.0));
    }
    if (change.capacity() > 0.0) progress_.set_reader_images_per_second(change.capacity());
  }
  data_before_ = data_;
}

std::optional<double> ProgressReporter::EtaSeconds() const {
  if (training_steps_left_ + evaluation_batches_left_ == 0) return std::nullopt;
  if (training_steps_left_ > 0 && seconds_per_training_step_ == 0.0) return std::nullopt;
  const double per_batch = seconds_per_evaluation_batch_ > 0.0
                               ? seconds_per_evaluation_batch_
                               : kForwardShare * seconds_per_training_step_;
  if (evaluation_batches_left_ > 0 && per_batch == 0.0) return std::nullopt;
  return static_cast<double>(training_steps_left_) * seconds_per_training_step_ +
         static_cast<double>(evaluation_batches_left_) * per_batch;
}

}  // namespace quantry::trainer
