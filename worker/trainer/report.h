#ifndef QUANTRY_WORKER_TRAINER_REPORT_H_
#define QUANTRY_WORKER_TRAINER_REPORT_H_

#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "quantry/v1/event.pb.h"
#include "worker/engine/evaluate/distribution.h"
#include "worker/engine/passes/float_layers.h"

namespace quantry::trainer {

// What is known of a run at its end.
struct RunRecord {
  nlohmann::json settings;
  std::string task;                       // "classes", "labels", "values", "none"
  std::vector<std::string> class_names;   // of what the task has
  std::vector<v1::Metrics> metrics;       // of each epoch and evaluation, in order
  std::map<std::string, double> seconds;  // by phase
  std::map<std::string, int64_t> bytes;   // by artifact
  int64_t parameters = 0;                 // of the float model
  int64_t corrupt_pictures = 0;
  std::vector<std::string> corrupt_names;  // the first few
  v1::Result result;
  std::vector<engine::FloatLayer> float_layers;  // whose trained weights were not quantized
  // Of result.layers, in the same order; empty: not measured.
  std::vector<engine::Distribution> distributions;
};

// Top-1 of the written file less that of the fake-quantized model; a share, as those are.
double Top1Difference(const v1::Result& result);

// How large that may be at most before a warning is given: 0.1 points.
inline constexpr double kAllowedTop1Difference = 0.001;

// {"layer", "op_type", "weights"} of each.
nlohmann::json FloatLayersToJson(const std::vector<engine::FloatLayer>& layers);

// The content of report.json.
std::string MakeReport(const RunRecord& record);

// Versions of this program and of the libraries it runs with.
nlohmann::json LibraryVersions();

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_REPORT_H_
