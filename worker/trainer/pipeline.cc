#include "worker/trainer/pipeline.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "worker/engine/evaluate/not_finite.h"
#include "worker/engine/evaluate/sqnr.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/fold_batch_norm.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/train/calibrate.h"
#include "worker/engine/train/parameter_groups.h"
#include "worker/trainer/artifacts.h"
#include "worker/trainer/failure.h"
#include "worker/trainer/layer_report.h"
#include "worker/trainer/settings.h"

namespace quantry::trainer {
namespace {

constexpr char kCheckpointFile[] = "checkpoint.qckpt";
constexpr char kModelFile[] = "model.onnx";
constexpr char kFloatModelFile[] = "model.float.onnx";
constexpr char kReportFile[] = "report.json";
constexpr char kSamplesFile[] = "verification.npy";
constexpr int64_t kSqnrBatches = 4;

}  // namespace

Pipeline::Pipeline(RunOptions options, std::filesystem::path output, EventSink& sink,
                   const Clock& clock, std::function<bool()> interrupted)
    : options_(std::move(options)),
      output_(std::move(output)),
      sink_(sink),
      clock_(clock),
      interrupted_(std::move(interrupted)),
      progress_(sink, clock) {}

absl::StatusOr<v1::Result> Pipeline::Run() {
  QUANTRY_RETURN_IF_ERROR(MakeDirectories(output_));
  QUANTRY_RETURN_IF_ERROR(Do("loading", "LOADING_FAILED", &Pipeline::Load));
  QUANTRY_RETURN_IF_ERROR(options_.mode == RunMode::kFloat ? RunFloat() : RunQuantized());
  QUANTRY_RETURN_IF_ERROR(Do("report", "EXPORT_FAILED", &Pipeline::WriteReport));
  return record_.result;
}

absl::Status Pipeline::RunFloat() {
  QUANTRY_RETURN_IF_ERROR(Do("training", "TRAINING_FAILED", &Pipeline::Train));
  QUANTRY_RETURN_IF_ERROR(Do("evaluating", "EVALUATION_FAILED", &Pipeline::EvaluateFloat));
  QUANTRY_RETURN_IF_ERROR(Do("exporting", "EXPORT_FAILED", &Pipeline::ExportFloat));
  return Do("verifying", "ARTIFACT_INVALID", &Pipeline::VerifyArtifact);
}

absl::Status Pipeline::RunQuantized() {
  QUANTRY_RETURN_IF_ERROR(Do("evaluating", "EVALUATION_FAILED", &Pipeline::EvaluateFloat));
  QUANTRY_RETURN_IF_ERROR(Do("quantizing", "QUANT_CONFIG_INVALID", &Pipeline::Quantize));
  QUANTRY_RETURN_IF_ERROR(
      Do("calibrating", "CALIBRATION_FAILED", &Pipeline::CalibrateUnlessResumed));
  if (options_.mode == RunMode::kQat) {
    QUANTRY_RETURN_IF_ERROR(Do("training", "TRAINING_FAILED", &Pipeline::Train));
  }
  QUANTRY_RETURN_IF_ERROR(Do("evaluating", "EVALUATION_FAILED", &Pipeline::EvaluateFakeQuant));
  QUANTRY_RETURN_IF_ERROR(Do("evaluating", "EVALUATION_FAILED", &Pipeline::DescribeQuantization));
  QUANTRY_RETURN_IF_ERROR(Do("exporting", "EXPORT_FAILED", &Pipeline::ExportFloat));
  QUANTRY_RETURN_IF_ERROR(Do("exporting", "EXPORT_FAILED", &Pipeline::ExportQuantized));
  return Do("verifying", "ARTIFACT_INVALID", &Pipeline::VerifyArtifact);
}

absl::Status Pipeline::Do(absl::string_view name, absl::string_view reason, Step step) {
  QUANTRY_RETURN_IF_ERROR(CheckInterrupted());
  const absl::Duration start = clock_.Monotonic();
  const absl::Status status = (this->*step)();
  record_.seconds[std::string(name)] += absl::ToDoubleSeconds(clock_.Monotonic() - start);
  return WithReason(status, reason);
}

absl::Status Pipeline::CheckInterrupted() const {
  return interrupted_() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

absl::Status Pipeline::Load() {
  progress_.Begin(v1::PHASE_LOADING, "", 0);
  QUANTRY_ASSIGN_OR_RETURN(inputs_, LoadInputs(options_));
  model_ = inputs_.model.Clone();
  identity_ = RunIdentity(options_, inputs_.model_identity);
  record_.settings = SettingsToJson(options_, inputs_.model_identity);
  record_.class_names = inputs_.class_names;
  record_.parameters = inputs_.model.ParameterCount();
  const bool is_float = options_.mode == RunMode::kFloat;
  progress_.SetPlan(
      options_.mode == RunMode::kPtq ? 0 : options_.train.epochs * inputs_.train->num_batches(),
      inputs_.eval->num_batches() * (is_float ? 2 : 3));
  if (options_.mode == RunMode::kPtq) return absl::OkStatus();
  return FindCheckpoint();
}

absl::Status Pipeline::FindCheckpoint() {
  const bool given = !options_.checkpoint_path.empty();
  const std::filesystem::path path = given ? options_.checkpoint_path : output_ / kCheckpointFile;
  absl::StatusOr<engine::Checkpoint> checkpoint = engine::ReadCheckpoint(path);
  if (!given && absl::IsNotFound(checkpoint.status())) return absl::OkStatus();
  if (!given && absl::IsDataLoss(checkpoint.status())) {
    SendLog(sink_, v1::LogLine::WARNING,
            absl::StrCat("starting over: ", checkpoint.status().message()));
    return absl::OkStatus();
  }
  QUANTRY_RETURN_IF_ERROR(WithReason(checkpoint.status(), "CHECKPOINT_INVALID"));
  QUANTRY_RETURN_IF_ERROR(
      WithReason(engine::CheckIdentity(checkpoint->identity, identity_), "CHECKPOINT_MISMATCH"));
  SendLog(sink_, v1::LogLine::INFO,
          absl::StrCat("going on from step ", checkpoint->steps_done, " of ", path.string()));
  resume_from_ = *std::move(checkpoint);
  return absl::OkStatus();
}

absl::Status Pipeline::EvaluateFloat() {
  const engine::Graph& graph = options_.mode == RunMode::kFloat ? model_ : inputs_.model;
  QUANTRY_ASSIGN_OR_RETURN(const engine::ClassificationMetrics metrics,
                           Evaluate(graph, v1::PHASE_EVALUATING, "float", check_.Expect()));
  record_.result.set_float_top1(metrics.top1());
  return absl::OkStatus();
}

absl::Status Pipeline::Quantize() {
  if (engine::FoldsBatchNormBeforeTraining(options_.quant)) engine::FoldBatchNorm(model_);
  engine::PactStart pact;
  if (options_.pact_alpha) pact.alpha = static_cast<float>(*options_.pact_alpha);
  QUANTRY_ASSIGN_OR_RETURN(const engine::QuantPlan plan,
                           engine::Annotate(model_, options_.quant, pact));
  engine::InsertFakeQuant(model_, plan);
  return absl::OkStatus();
}

absl::Status Pipeline::CalibrateUnlessResumed() {
  if (resume_from_) return absl::OkStatus();
  const int64_t total = std::min(options_.calibration_batches, inputs_.train->num_batches());
  progress_.Begin(v1::PHASE_CALIBRATING, "", total);
  QUANTRY_RETURN_IF_ERROR(
      engine::Calibrate(model_, *inputs_.train, total, [this](int64_t done, int64_t) {
        progress_.Advance({.steps_done = done, .images = options_.batch_size});
        return CheckInterrupted();
      }));
  progress_.End();
  if (options_.mode == RunMode::kQat) return absl::OkStatus();
  return SaveCheckpoint(
      {.steps_per_epoch = inputs_.train->num_batches(), .state = engine::GraphState(model_)});
}

absl::Status Pipeline::Train() {
  QUANTRY_ASSIGN_OR_RETURN(const std::unique_ptr<engine::TrainingLoop> loop,
                           engine::TrainingLoop::Create(model_, *inputs_.train, options_.train,
                                                        MakeTrainingCallbacks(), &inputs_.model));
  if (resume_from_) {
    QUANTRY_RETURN_IF_ERROR(WithReason(loop->Restore(*resume_from_), "CHECKPOINT_MISMATCH"));
    resume_from_.reset();
  }
  progress_.Begin(v1::PHASE_TRAINING, "", loop->steps(), loop->steps_done());
  epoch_start_ = clock_.Monotonic();
  const absl::Status status = loop->Run();
  if (engine::IsNotFinite(status)) return WithReason(status, "TRAINING_DIVERGED");
  QUANTRY_RETURN_IF_ERROR(status);
  progress_.End();
  if (!std::filesystem::exists(output_ / kCheckpointFile)) {
    QUANTRY_RETURN_IF_ERROR(SaveCheckpoint(loop->MakeCheckpoint()));
  }
  steps_trained_ = loop->steps_done();
  record_.result.set_train_seconds(loop->train_seconds());
  if (loop->stopped_early()) {
    SendLog(sink_, v1::LogLine::INFO,
            absl::StrCat("stopped after step ", loop->steps_done(), " of ", loop->steps(),
                         ": patience is used up"));
  }
  QUANTRY_RETURN_IF_ERROR(loop->Finish());
  engine::ReleaseParameters(model_);
  return absl::OkStatus();
}

engine::TrainingCallbacks Pipeline::MakeTrainingCallbacks() {
  return {
      .on_step = [this](const engine::TrainedStep& step) { return OnTrainedStep(step); },
      .on_epoch =
          [this](int64_t epochs_done, int64_t steps_done,
                 const engine::ClassificationMetrics& metrics) {
            const absl::Duration now = clock_.Monotonic();
            SendMetrics("train", epochs_done, steps_done, metrics,
                        absl::ToDoubleSeconds(now - epoch_start_));
            epoch_start_ = now;
            return absl::OkStatus();
          },
      .evaluate = [this](int64_t steps_done) { return EvaluateWhileTraining(steps_done); },
      .save =
          [this](engine::Checkpoint checkpoint) { return SaveCheckpoint(std::move(checkpoint)); },
      .interrupted = interrupted_};
}

absl::Status Pipeline::OnTrainedStep(const engine::TrainedStep& step) {
  const double hits = step.logits.detach().argmax(1).eq(step.labels).sum().item<double>();
  progress_.Advance({.steps_done = step.steps_done,
                     .images = step.labels.size(0),
                     .epoch = step.epoch + 1,
                     .epochs = options_.train.epochs,
                     .loss = step.loss,
                     .top1_hits = hits,
                     .learning_rate = step.learning_rate});
  return absl::OkStatus();
}

absl::StatusOr<double> Pipeline::EvaluateWhileTraining(int64_t steps_done) {
  steps_trained_ = steps_done;
  QUANTRY_ASSIGN_OR_RETURN(
      const engine::ClassificationMetrics metrics,
      Evaluate(model_, v1::PHASE_EVALUATING, "eval",
               [](const engine::EvaluatedBatch&) { return absl::OkStatus(); }));
  progress_.Begin(v1::PHASE_TRAINING, "", options_.train.epochs * inputs_.train->num_batches(),
                  steps_done);
  return metrics.top1();
}

absl::Status Pipeline::SaveCheckpoint(engine::Checkpoint checkpoint) {
  const absl::Duration start = clock_.Monotonic();
  checkpoint.identity = identity_;
  const std::filesystem::path path = output_ / kCheckpointFile;
  QUANTRY_RETURN_IF_ERROR(
      WithReason(engine::WriteCheckpoint(path, checkpoint), "CHECKPOINT_WRITE_FAILED"));
  v1::TrainerEvent event;
  v1::CheckpointSaved& saved = *event.mutable_checkpoint();
  saved.set_epoch(static_cast<int32_t>(checkpoint.steps_done / checkpoint.steps_per_epoch));
  saved.set_step(checkpoint.steps_done);
  saved.set_size_bytes(static_cast<int64_t>(std::filesystem::file_size(path)));
  saved.set_seconds(absl::ToDoubleSeconds(clock_.Monotonic() - start));
  sink_.Send(event);
  return absl::OkStatus();
}

absl::Status Pipeline::EvaluateFakeQuant() {
  QUANTRY_ASSIGN_OR_RETURN(const engine::ClassificationMetrics metrics,
                           Evaluate(model_, v1::PHASE_EVALUATING, "fake_quant", check_.Expect()));
  record_.result.set_fake_quant_top1(metrics.top1());
  return absl::OkStatus();
}

absl::Status Pipeline::DescribeQuantization() {
  QUANTRY_ASSIGN_OR_RETURN(const auto sqnr,
                           engine::MeasureSqnr(model_, *inputs_.eval, kSqnrBatches));
  for (v1::LayerQuantization& layer : DescribeLayers(model_, sqnr)) {
    *record_.result.add_layers() = std::move(layer);
  }
  record_.result.set_weight_bits(options_.quant.weight_bits);
  record_.result.set_activation_bits(options_.quant.activation_bits);
  return absl::OkStatus();
}

absl::Status Pipeline::ExportFloat() {
  progress_.Begin(v1::PHASE_EXPORTING, "", 0);
  QUANTRY_RETURN_IF_ERROR(WriteFloatModel(options_.mode == RunMode::kFloat ? model_ : inputs_.model,
                                          output_ / kFloatModelFile));
  QUANTRY_RETURN_IF_ERROR(AnnounceArtifact(kFloatModelFile));
  record_.result.set_float_model_size_bytes(record_.bytes[kFloatModelFile]);
  return absl::OkStatus();
}

absl::Status Pipeline::ExportQuantized() {
  QUANTRY_RETURN_IF_ERROR(WriteQuantizedModel(model_, output_ / kModelFile));
  QUANTRY_RETURN_IF_ERROR(AnnounceArtifact(kModelFile));
  record_.result.set_model_size_bytes(record_.bytes[kModelFile]);
  return absl::OkStatus();
}

absl::Status Pipeline::VerifyArtifact() {
  const char* name = options_.mode == RunMode::kFloat ? kFloatModelFile : kModelFile;
  const absl::StatusOr<engine::Graph> artifact = engine::ImportOnnxFile(output_ / name);
  if (!artifact.ok()) {
    // Our own file, so nobody else's fault.
    return absl::InternalError(
        absl::StrCat(name, " can't be read back: ", artifact.status().message()));
  }
  QUANTRY_ASSIGN_OR_RETURN(const engine::ClassificationMetrics metrics,
                           Evaluate(*artifact, v1::PHASE_VERIFYING, "artifact", check_.Compare()));
  record_.result.set_artifact_top1(metrics.top1());
  record_.result.set_max_output_difference(check_.max_difference());
  QUANTRY_RETURN_IF_ERROR(check_.WriteSamples(output_ / kSamplesFile));
  return AnnounceArtifact(kSamplesFile);
}

absl::StatusOr<engine::ClassificationMetrics> Pipeline::Evaluate(
    const engine::Graph& graph, v1::Phase phase, absl::string_view subject,
    const engine::EvaluationObserver& look) {
  const absl::Duration start = clock_.Monotonic();
  progress_.Begin(phase, subject, inputs_.eval->num_batches());
  const auto observer = [&](const engine::EvaluatedBatch& batch) {
    QUANTRY_RETURN_IF_ERROR(look(batch));
    progress_.Advance({.steps_done = batch.batches_done, .images = batch.logits.size(0)});
    return CheckInterrupted();
  };
  const auto metrics = engine::EvaluateModel(graph, *inputs_.eval, observer);
  if (engine::IsNotFinite(metrics.status())) {
    return WithReason(metrics.status(), steps_trained_ > 0 ? "TRAINING_DIVERGED" : "MODEL_INVALID");
  }
  QUANTRY_RETURN_IF_ERROR(metrics.status());
  progress_.End();
  const int64_t steps_per_epoch = std::max<int64_t>(1, inputs_.train->num_batches());
  SendMetrics(subject, steps_trained_ / steps_per_epoch, steps_trained_, *metrics,
              absl::ToDoubleSeconds(clock_.Monotonic() - start));
  return metrics;
}

void Pipeline::SendMetrics(absl::string_view subject, int64_t epoch, int64_t step,
                           const engine::ClassificationMetrics& metrics, double seconds) {
  v1::TrainerEvent event;
  v1::Metrics& message = *event.mutable_metrics();
  message.set_subject(std::string(subject));
  message.set_epoch(static_cast<int32_t>(epoch));
  message.set_step(step);
  message.set_examples(metrics.examples());
  message.set_loss(metrics.loss());
  message.set_top1(metrics.top1());
  message.set_top5(metrics.top5());
  message.set_seconds(seconds);
  record_.metrics.push_back(message);
  sink_.Send(event);
}

absl::Status Pipeline::AnnounceArtifact(const std::string& name) {
  QUANTRY_ASSIGN_OR_RETURN(const v1::Artifact artifact, DescribeArtifact(output_ / name));
  record_.bytes[name] = artifact.size_bytes();
  v1::TrainerEvent event;
  *event.mutable_artifact() = artifact;
  sink_.Send(event);
  return absl::OkStatus();
}

absl::Status Pipeline::WriteReport() {
  record_.corrupt_pictures = inputs_.train->num_corrupt() + inputs_.eval->num_corrupt();
  for (const engine::Loader* loader : {inputs_.train.get(), inputs_.eval.get()}) {
    const std::vector<std::string> names = loader->CorruptPictures();
    record_.corrupt_names.insert(record_.corrupt_names.end(), names.begin(), names.end());
  }
  QUANTRY_RETURN_IF_ERROR(AnnounceArtifact(kCheckpointFile));
  QUANTRY_RETURN_IF_ERROR(WriteFileAtomically(output_ / kReportFile, MakeReport(record_)));
  return AnnounceArtifact(kReportFile);
}

}  // namespace quantry::trainer
