#include "worker/engine/train/sensitivity_table.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace quantry::engine {
namespace {

using Json = nlohmann::json;

Json ToJson(const OutputSums& sums) { return {sums.noise, sums.top1, sums.loss}; }

OutputSums SumsOf(const Json& json) {
  return {.noise = json.at(0).get<double>(),
          .top1 = json.at(1).get<double>(),
          .loss = json.at(2).get<double>()};
}

Json ToJson(const LayerMeasurement& row) {
  return {{"layer", row.layer},
          {"op_type", row.op_type},
          {"bits", row.bits},
          {"weights", row.weights},
          {"macs", row.macs},
          {"planned", {row.planned_weight_bits, row.planned_activation_bits}},
          {"sums", ToJson(row.sums)}};
}

LayerMeasurement RowOf(const Json& json) {
  return {.layer = json.at("layer").get<std::string>(),
          .op_type = json.at("op_type").get<std::string>(),
          .bits = json.at("bits").get<int>(),
          .weights = json.at("weights").get<int64_t>(),
          .macs = json.at("macs").get<int64_t>(),
          .planned_weight_bits = json.at("planned").at(0).get<int>(),
          .planned_activation_bits = json.at("planned").at(1).get<int>(),
          .sums = SumsOf(json.at("sums"))};
}

}  // namespace

double NoiseToSignal(const SensitivityTable& table, const LayerMeasurement& row) {
  return table.signal > 0 ? row.sums.noise / table.signal : row.sums.noise;
}

std::optional<double> SqnrDb(const SensitivityTable& table, const LayerMeasurement& row) {
  if (!(table.signal > 0) || !(row.sums.noise > 0)) return std::nullopt;
  return 10.0 * std::log10(table.signal / row.sums.noise);
}

std::vector<size_t> RankedRows(const SensitivityTable& table) {
  struct Layer {
    double noise = 0;  // at its fewest bits
    int bits = 0;
    std::vector<size_t> rows;
  };
  std::vector<Layer> layers;
  std::map<std::string, size_t> index_of;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const LayerMeasurement& row = table.rows[i];
    const auto [entry, is_new] = index_of.emplace(row.layer, layers.size());
    if (is_new) layers.emplace_back();
    Layer& layer = layers[entry->second];
    layer.rows.push_back(i);
    if (layer.bits == 0 || row.bits < layer.bits) {
      layer.bits = row.bits;
      layer.noise = row.sums.noise;
    }
  }
  std::stable_sort(layers.begin(), layers.end(),
                   [](const Layer& a, const Layer& b) { return a.noise > b.noise; });
  std::vector<size_t> ranked;
  for (Layer& layer : layers) {
    std::stable_sort(layer.rows.begin(), layer.rows.end(),
                     [&](size_t a, size_t b) { return table.rows[a].bits > table.rows[b].bits; });
    ranked.insert(ranked.end(), layer.rows.begin(), layer.rows.end());
  }
  return ranked;
}

std::string SerializeTable(const SensitivityTable& table) {
  Json json = {{"batches", table.batches},
               {"examples", table.examples},
               {"signal", table.signal},
               {"reference", ToJson(table.reference)},
               {"rows", Json::array()}};
  for (const LayerMeasurement& row : table.rows) json["rows"].push_back(ToJson(row));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<SensitivityTable> ParseTable(absl::string_view text) {
  try {
    const Json json = Json::parse(text.begin(), text.end());
    SensitivityTable table{.batches = json.at("batches").get<int64_t>(),
                           .examples = json.at("examples").get<int64_t>(),
                           .signal = json.at("signal").get<double>(),
                           .reference = SumsOf(json.at("reference"))};
    for (const Json& row : json.at("rows")) table.rows.push_back(RowOf(row));
    return table;
  } catch (const std::exception& error) {
    return absl::DataLossError(
        absl::StrCat("the kept sensitivity measurements are damaged: ", error.what()));
  }
}

}  // namespace quantry::engine
