#include "worker/trainer/scales_file.h"

#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "worker/engine/export/tensor_scales.h"
#include "worker/engine/passes/output_scales.h"

namespace quantry::trainer {
namespace {

using Json = nlohmann::json;

Json ToJson(const engine::TensorScales& entry) {
  Json range = Json::array();
  for (size_t i = 0; i < entry.low.size(); ++i) range.push_back({entry.low[i], entry.high[i]});
  Json json = {{"tensor", entry.tensor},
               {"layers", entry.layers},
               {"role", entry.is_weight ? "weight" : "activation"},
               {"quantizer", entry.quantizer},
               {"bits", entry.bits},
               {"dtype", entry.dtype},
               {"axis", entry.axis < 0 ? Json() : Json(entry.axis)},
               {"scale", entry.scales},
               {"zero_point", entry.zero_points},
               {"range", range}};
  if (!entry.alphas.empty()) json["pact_alpha"] = entry.alphas;
  return json;
}

}  // namespace

absl::StatusOr<std::string> MakeScalesFile(const engine::Graph& trained,
                                           const engine::QdqOptions& options) {
  QUANTRY_ASSIGN_OR_RETURN(const std::vector<engine::TensorScales> entries,
                           engine::ScalesOf(trained, options));
  Json file = {{"profile", options.profile}, {"tensors", Json::array()}};
  for (const engine::TensorScales& entry : entries) file["tensors"].push_back(ToJson(entry));
  for (const engine::OutputScale& output : engine::OutputScales(trained)) {
    file["outputs"].push_back(
        {{"layer", output.layer}, {"tensor", output.value}, {"scale", output.scale}});
  }
  // Names of nodes need not be UTF-8; JSON texts are.
  return file.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace quantry::trainer
