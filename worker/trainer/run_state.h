#ifndef QUANTRY_WORKER_TRAINER_RUN_STATE_H_
#define QUANTRY_WORKER_TRAINER_RUN_STATE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "worker/engine/distributed/collective.h"
#include "worker/engine/evaluate/evaluate_model.h"
#include "worker/engine/train/checkpoint.h"
#include "worker/engine/train/choose_bits.h"
#include "worker/engine/train/sensitivity.h"
#include "worker/trainer/artifact_check.h"
#include "worker/trainer/event_sink.h"
#include "worker/trainer/load_inputs.h"
#include "worker/trainer/progress.h"
#include "worker/trainer/report.h"
#include "worker/trainer/run_options.h"

namespace quantry::trainer {

struct ModeDef;

// What one run knows and has made so far. The steps of a mode (steps/, modes/) read and change it
// in turn; nothing else is shared between them. Not thread-safe.
struct RunState {
  // `mode`, `sink`, `clock` and `ranks` must outlive the state. `interrupted` is asked after every
  // batch. `ranks`: null for a process alone.
  RunState(RunOptions options, const ModeDef& mode, std::filesystem::path output, EventSink& sink,
           const Clock& clock, std::function<bool()> interrupted,
           engine::Collective* ranks = nullptr);

  // CANCELLED once `interrupted` says so; UNAVAILABLE once a rank is lost.
  absl::Status CheckInterrupted() const;
  // What a stretch of work took, and what of it was spent waiting for data.
  struct TimedWork {
    absl::Duration start;
    engine::LoaderStats stats;  // of the loader then
  };
  // Begins to measure work that reads from `loader`.
  TimedWork BeginWork(const engine::Loader& loader) const;

  // Sends metrics of `subject`, measured on data of `loader` since `work` began, and keeps them for
  // the report.
  void SendMetrics(absl::string_view subject, int64_t epoch, int64_t step,
                   const engine::Loader& loader, const engine::TaskMetrics& metrics,
                   const TimedWork& work);
  // Tells size and hash of the finished file `name` of the output folder.
  absl::Status AnnounceArtifact(const std::string& name);
  // The float model of the run: the trained one where the mode trains in float, else the one that
  // was loaded.
  const engine::Graph& FloatGraph() const;

  RunOptions options;
  const ModeDef& mode;
  const std::filesystem::path output;
  EventSink& sink;
  const Clock& clock;
  const std::function<bool()> interrupted;
  ProgressReporter progress;
  engine::SingleProcess alone;
  engine::Collective& ranks;  // the processes that do this run together

  RunInputs inputs;     // inputs.model stays the float model unless the mode trains in float
  engine::Graph model;  // what is trained and quantized
  std::map<std::string, std::string> identity;
  std::optional<engine::Checkpoint> resume_from;
  std::map<std::string, std::string> notes;         // Checkpoint::notes, of each that is saved
  std::unique_ptr<engine::SensitivityStudy> study;  // while layers are measured
  engine::SensitivityTable sensitivity;             // once they are
  std::map<std::string, double> adapted_sqnr_db;    // of engine::AdaptRounding
  std::optional<engine::BitChoice> choice;          // bits by layer; absent: as quant_config says
  ArtifactCheck check;
  int64_t steps_trained = 0;
  TimedWork epoch_work;  // the epoch that is being trained
  RunRecord record;
};

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_RUN_STATE_H_
