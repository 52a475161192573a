#include "client/cli/job_text.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/format.h"
#include "client/cli/text_table.h"
#include "client/model_argument.h"

namespace quantry::client {
namespace {

using Align = TextTable::Align;

constexpr size_t kWorstLayers = 3;

// Two columns without a head: name and value. Rows without a value are left out.
class Fields {
 public:
  void Add(absl::string_view name, std::string value) {
    if (!value.empty() && value != "-") table_.AddRow({std::string(name), std::move(value)});
  }
  std::string Render() const { return table_.Render(); }

 private:
  TextTable table_{{{""}, {""}}};
};

std::string IdOf(const v1::Job& job) { return std::string(absl::StripPrefix(job.name(), "jobs/")); }

std::optional<double> FinalTop1(const v1::Job& job) {
  const v1::Result& result = job.result();
  if (result.has_artifact_top1()) return result.artifact_top1();
  if (result.has_fake_quant_top1()) return result.fake_quant_top1();
  if (result.has_float_top1()) return result.float_top1();
  return std::nullopt;
}

std::string BitsText(const v1::Job& job) {
  if (!job.has_result()) return "-";
  const v1::Result& result = job.result();
  if (result.has_mixed_precision()) {
    return absl::StrFormat("W%.2f mixed", result.mixed_precision().mean_weight_bits());
  }
  if (job.spec().mode() == v1::MODE_SENSITIVITY) return "-";
  if (result.weight_bits() == 0) return "float";
  return absl::StrCat("W", result.weight_bits(), "A", result.activation_bits());
}

std::string ProgressText(const v1::Job& job) {
  if (job.state() == v1::JOB_STATE_QUEUED && job.queue_position() > 0) {
    return absl::StrCat("#", job.queue_position(), " in queue");
  }
  if (job.state() != v1::JOB_STATE_RUNNING || !job.has_progress()) return "-";
  const v1::Progress& progress = job.progress();
  std::string text =
      absl::AsciiStrToLower(absl::StripPrefix(v1::Phase_Name(progress.phase()), "PHASE_"));
  if (progress.steps() > 0) {
    absl::StrAppend(&text, " ", 100 * progress.step() / progress.steps(), "%");
  }
  return text;
}

std::string RunTimeText(const v1::Job& job, absl::Time now) {
  if (!job.has_start_time()) return "-";
  return FormatElapsed((job.has_end_time() ? ToTime(job.end_time()) : now) -
                       ToTime(job.start_time()));
}

std::string TimeText(bool present, const google::protobuf::Timestamp& time) {
  return present ? FormatDateTime(time) : "-";
}

std::string LabelsText(const v1::JobSpec& spec) {
  std::vector<std::string> labels;
  for (const auto& [key, value] : spec.labels()) labels.push_back(absl::StrCat(key, "=", value));
  std::sort(labels.begin(), labels.end());
  return absl::StrJoin(labels, ", ");
}

std::string SizeText(const v1::Result& result) {
  if (result.model_size_bytes() + result.float_model_size_bytes() == 0) return "";
  if (result.model_size_bytes() == 0) return FormatBytes(result.float_model_size_bytes());
  if (result.float_model_size_bytes() == 0) return FormatBytes(result.model_size_bytes());
  return absl::StrFormat("%s, float %s, ratio %.3f", FormatBytes(result.model_size_bytes()),
                         FormatBytes(result.float_model_size_bytes()),
                         static_cast<double>(result.model_size_bytes()) /
                             static_cast<double>(result.float_model_size_bytes()));
}

std::string WorstLayersTable(const v1::Result& result) {
  std::vector<const v1::LayerQuantization*> layers;
  for (const v1::LayerQuantization& layer : result.layers()) {
    if (layer.has_sqnr_db()) layers.push_back(&layer);
  }
  if (layers.empty()) return "";
  std::stable_sort(layers.begin(), layers.end(),
                   [](const auto* a, const auto* b) { return a->sqnr_db() < b->sqnr_db(); });
  TextTable table({{"Worst layers"},
                   {"Operator"},
                   {"Tensor"},
                   {"Bits", Align::kRight},
                   {"SQNR", Align::kRight}});
  for (size_t i = 0; i < std::min(layers.size(), kWorstLayers); ++i) {
    table.AddRow({layers[i]->layer(), layers[i]->op_type(), layers[i]->tensor(),
                  absl::StrCat(layers[i]->bits()),
                  absl::StrFormat("%.1f dB", layers[i]->sqnr_db())});
  }
  return absl::StrCat("\n", table.Render());
}

// What a layer costs, beside SQNR: top-1, for data without classes the loss, without labels
// nothing.
std::string TaskColumn(const v1::Sensitivity& sensitivity) {
  return sensitivity.has_float_top1() ? "Top-1" : sensitivity.has_float_loss() ? "Loss" : "";
}

std::string TaskFigure(const v1::LayerSensitivity& layer) {
  if (layer.has_top1()) return FormatShare(layer.top1());
  return layer.has_loss() ? absl::StrFormat("%.4g", layer.loss()) : "-";
}

// A row per layer, by rank, and one or two columns per width.
std::string SensitivityTable(const v1::Sensitivity& sensitivity) {
  std::vector<TextTable::Column> columns = {
      {"#", Align::kRight}, {"Layer, quantized alone"}, {"Operator"}, {"Weights", Align::kRight}};
  std::vector<std::vector<std::string>> rows;
  std::optional<std::string> first_layer;
  const std::string task = TaskColumn(sensitivity);
  for (const v1::LayerSensitivity& layer : sensitivity.layers()) {
    if (!first_layer) first_layer = layer.layer();
    if (layer.layer() == *first_layer) {
      const std::string width = absl::StrCat(" at ", layer.bits());
      if (!task.empty()) columns.push_back({task + width, Align::kRight});
      columns.push_back({task.empty() ? "SQNR" + width : "SQNR", Align::kRight});
    }
    if (rows.empty() || rows.back()[1] != layer.layer()) {
      rows.push_back({absl::StrCat(layer.rank()), layer.layer(), layer.op_type(),
                      layer.weights() > 0 ? FormatCount(layer.weights()) : "-"});
    }
    if (!task.empty()) rows.back().push_back(TaskFigure(layer));
    rows.back().push_back(layer.has_sqnr_db() ? absl::StrFormat("%.1f dB", layer.sqnr_db()) : "-");
  }
  if (rows.empty()) return "";
  TextTable table(columns);
  for (std::vector<std::string>& row : rows) {
    row.resize(columns.size(), "-");
    table.AddRow(std::move(row));
  }
  std::string text =
      absl::StrCat("\nSensitivity on ", FormatCount(sensitivity.examples()), " examples");
  if (sensitivity.has_float_top1()) {
    absl::StrAppend(&text, ", float top-1 ", FormatShare(sensitivity.float_top1()));
  } else if (sensitivity.has_float_loss()) {
    absl::StrAppend(&text, absl::StrFormat(", float loss %.4g", sensitivity.float_loss()));
  }
  return absl::StrCat(text, "\n", table.Render());
}

std::string ChosenBitsTable(const v1::MixedPrecision& choice) {
  TextTable table({{"Layer"},
                   {"Operator"},
                   {"Weights", Align::kRight},
                   {"Multiplications", Align::kRight},
                   {"Weight bits", Align::kRight},
                   {"Input bits", Align::kRight}});
  for (const v1::LayerBits& layer : choice.layers()) {
    table.AddRow({layer.layer(), layer.op_type(), FormatCount(layer.weights()),
                  FormatCount(layer.macs()),
                  absl::StrCat(layer.weight_bits(), layer.fixed() ? " (given)" : ""),
                  absl::StrCat(layer.activation_bits())});
  }
  return absl::StrFormat(
      "\nChosen bits: %s %.8g of at most %.8g; weights packed %s; %.4g bit operations\n%s",
      choice.budget(), choice.budget_used(), choice.budget_limit(),
      FormatBytes(choice.size_bytes()), choice.bit_operations(), table.Render());
}

std::string FailureText(const v1::Failure& failure) {
  std::string text =
      absl::StrCat("Failed: ", SanitizeLine(failure.message()), " (",
                   absl::StripPrefix(v1::FailureKind_Name(failure.kind()), "FAILURE_KIND_"),
                   failure.reason().empty() ? "" : ", ", SanitizeLine(failure.reason()), ")\n");
  if (failure.last_words().empty()) return text;
  absl::StrAppend(&text, "The trainer's last words:\n");
  for (const absl::string_view line : absl::StrSplit(failure.last_words(), '\n')) {
    if (!line.empty()) absl::StrAppend(&text, "  ", SanitizeLine(line), "\n");
  }
  return text;
}

std::string ArtifactsTable(const v1::Job& job) {
  if (job.artifacts().empty()) return "";
  TextTable table({{"Artifact"}, {"Size", Align::kRight}, {"SHA-256"}});
  for (const v1::Artifact& artifact : job.artifacts()) {
    table.AddRow({artifact.name(), FormatBytes(artifact.size_bytes()), artifact.blob()});
  }
  return absl::StrCat("\n", table.Render());
}

}  // namespace

std::string StateText(v1::JobState state) {
  return std::string(absl::StripPrefix(v1::JobState_Name(state), "JOB_STATE_"));
}

std::string ModeText(v1::Mode mode) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Mode_Name(mode), "MODE_"));
}

std::string JobListTable(const std::vector<v1::Job>& jobs, absl::Time now) {
  TextTable table({{"Job"},
                   {"State"},
                   {"Mode"},
                   {"Model"},
                   {"Bits"},
                   {"Top-1", Align::kRight},
                   {"Progress"},
                   {"Created"},
                   {"Run time", Align::kRight},
                   {"Name"}});
  for (const v1::Job& job : jobs) {
    table.AddRow({IdOf(job), StateText(job.state()), ModeText(job.spec().mode()),
                  DescribeModel(job.spec().model()), BitsText(job), FormatShare(FinalTop1(job)),
                  ProgressText(job), TimeText(job.has_create_time(), job.create_time()),
                  RunTimeText(job, now), job.spec().display_name()});
  }
  return table.Render();
}

std::string JobDetails(const v1::Job& job, absl::Time now) {
  const v1::JobSpec& spec = job.spec();
  Fields fields;
  fields.Add("Job", job.name());
  fields.Add("Name", spec.display_name());
  fields.Add("State", absl::StrCat(StateText(job.state()), job.state_reason().empty() ? "" : ": ",
                                   job.state_reason()));
  fields.Add("Progress", ProgressText(job));
  fields.Add("Worker", job.worker());
  fields.Add("Attempt", job.attempt() > 0 ? absl::StrCat(job.attempt()) : "");
  fields.Add("Mode", ModeText(spec.mode()));
  fields.Add("Model", DescribeModel(spec.model()));
  fields.Add("Dataset", spec.data().train_uri());
  fields.Add("Evaluation", spec.data().eval_uri());
  fields.Add("Quant config", spec.quant_config());
  fields.Add("Training", spec.training().ShortDebugString());
  fields.Add("PACT", spec.pact().ShortDebugString());
  fields.Add("Sensitivity", spec.sensitivity().ShortDebugString());
  fields.Add("Mixed precision", spec.mixed_precision().ShortDebugString());
  fields.Add("PTQ", spec.ptq().ShortDebugString());
  fields.Add("Labels", LabelsText(spec));
  fields.Add("Created", TimeText(job.has_create_time(), job.create_time()));
  fields.Add("Started", TimeText(job.has_start_time(), job.start_time()));
  fields.Add("Ended", TimeText(job.has_end_time(), job.end_time()));
  fields.Add("Run time", RunTimeText(job, now));
  std::string text = fields.Render();
  if (job.has_result() || job.has_failure()) absl::StrAppend(&text, "\n", ResultTable(job));
  return absl::StrCat(text, ArtifactsTable(job));
}

std::string ResultTable(const v1::Job& job) {
  if (job.has_failure() && job.state() == v1::JOB_STATE_FAILED) return FailureText(job.failure());
  if (!job.has_result()) return "";
  const v1::Result& result = job.result();
  Fields fields;
  fields.Add("Model", DescribeModel(job.spec().model()));
  fields.Add("Mode", ModeText(job.spec().mode()));
  fields.Add("Bits", BitsText(job));
  fields.Add("Top-1 float", result.has_float_top1() ? FormatShare(result.float_top1()) : "");
  fields.Add("Top-1 fake-quant",
             result.has_fake_quant_top1() ? FormatShare(result.fake_quant_top1()) : "");
  fields.Add("Top-1 artifact",
             result.has_artifact_top1() ? FormatShare(result.artifact_top1()) : "");
  fields.Add("File size", SizeText(result));
  if (result.train_seconds() > 0) {
    fields.Add("Train time", FormatElapsed(absl::Seconds(result.train_seconds())));
  }
  std::string text = absl::StrCat(fields.Render(), WorstLayersTable(result));
  if (result.has_mixed_precision()) {
    absl::StrAppend(&text, ChosenBitsTable(result.mixed_precision()));
  } else if (result.has_sensitivity()) {
    absl::StrAppend(&text, SensitivityTable(result.sensitivity()));
  }
  return text;
}

std::string CapabilitiesTable(const v1::Capabilities& capabilities) {
  Fields fields;
  fields.Add("Server version", capabilities.version());
  fields.Add("Modes", absl::StrJoin(capabilities.modes(), ", "));
  fields.Add("Built-in models", absl::StrJoin(capabilities.builtin_models(), ", "));
  fields.Add("Weight quantizers", absl::StrJoin(capabilities.weight_quantizers(), ", "));
  fields.Add("Activation quantizers", absl::StrJoin(capabilities.activation_quantizers(), ", "));
  fields.Add("Preprocessors", absl::StrJoin(capabilities.preprocessors(), ", "));
  fields.Add("PACT settings", absl::StrJoin(capabilities.pact_settings(), ", "));
  fields.Add("Calibrators", absl::StrJoin(capabilities.calibrators(), ", "));
  fields.Add("Profiles", absl::StrJoin(capabilities.profiles(), ", "));
  fields.Add("Layer types", absl::StrJoin(capabilities.layer_types(), ", "));
  fields.Add("Weight dtypes", absl::StrJoin(capabilities.weight_dtypes(), ", "));
  fields.Add("Activation dtypes", absl::StrJoin(capabilities.activation_dtypes(), ", "));
  fields.Add("Bits", absl::StrCat(capabilities.min_bits(), " to ", capabilities.max_bits()));
  fields.Add("Dataset schemes", absl::StrJoin(capabilities.dataset_schemes(), ", "));
  fields.Add("Largest upload", FormatBytes(capabilities.max_upload_bytes()));
  fields.Add("Devices per job", absl::StrCat("1 to ", capabilities.max_device_count()));
  fields.Add("ONNX operators", absl::StrJoin(capabilities.operators(), ", "));
  if (capabilities.workers().empty()) {
    return absl::StrCat(fields.Render(),
                        "\nNo worker has registered yet: jobs wait until one does "
                        "(quantry-worker --server ADDR --data-dir DIR).\n");
  }
  TextTable workers({{"Worker"}, {"Host"}, {"Devices"}, {"State"}, {"Job"}});
  for (const v1::WorkerSummary& worker : capabilities.workers()) {
    workers.AddRow({std::string(absl::StripPrefix(worker.name(), "workers/")), worker.hostname(),
                    absl::StrJoin(worker.devices(), ", "), worker.alive() ? "alive" : "silent",
                    worker.job().empty() ? "-" : worker.job()});
  }
  return absl::StrCat(fields.Render(), "\n", workers.Render());
}

}  // namespace quantry::client
