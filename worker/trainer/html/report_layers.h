#ifndef QUANTRY_WORKER_TRAINER_HTML_REPORT_LAYERS_H_
#define QUANTRY_WORKER_TRAINER_HTML_REPORT_LAYERS_H_

#include <string>

#include "nlohmann/json.hpp"

namespace quantry::trainer {

// The sections of the report that go layer by layer; each is empty where the report has nothing.

// Scale, range, histogram, SQNR of each quantized tensor, and its layer's sensitivity.
std::string LayersSection(const nlohmann::json& report);
// The layers whose weights stay in float.
std::string FloatLayersSection(const nlohmann::json& report);
// The ranked table of layers quantized alone.
std::string SensitivitySection(const nlohmann::json& report);
// The bits chosen for each layer, and the budget.
std::string MixedPrecisionSection(const nlohmann::json& report);

}  // namespace quantry::trainer

#endif  // QUANTRY_WORKER_TRAINER_HTML_REPORT_LAYERS_H_
