#include "worker/trainer/report.h"

#include <google/protobuf/stubs/common.h>
#include <torch/version.h>

#include <cmath>
#include <opencv2/core/version.hpp>

namespace quantry::trainer {
namespace {

using Json = nlohmann::json;

Json ToJson(const v1::Metrics& metrics) {
  Json json = {{"subject", metrics.subject()}, {"epoch", metrics.epoch()},
               {"step", metrics.step()},       {"examples", metrics.examples()},
               {"seconds", metrics.seconds()}, {"corrupt", metrics.corrupt()}};
  if (metrics.has_loss()) json["loss"] = metrics.loss();
  for (const v1::TaskMetric& value : metrics.values()) json[value.name()] = value.value();
  if (!metrics.score().empty()) json["score"] = metrics.score();
  if (metrics.has_data_wait_share()) json["data_wait_share"] = metrics.data_wait_share();
  return json;
}

Json ToJson(const v1::LayerQuantization& layer) {
  Json json = {{"layer", layer.layer()},         {"op_type", layer.op_type()},
               {"tensor", layer.tensor()},       {"quantizer", layer.quantizer()},
               {"bits", layer.bits()},           {"per_channel", layer.per_channel()},
               {"scale_min", layer.scale_min()}, {"scale_max", layer.scale_max()}};
  if (layer.has_sqnr_db()) json["sqnr_db"] = layer.sqnr_db();
  return json;
}

Json AccuraciesOf(const v1::Result& result) {
  Json json = Json::object();
  if (result.has_float_top1()) json["float_top1"] = result.float_top1();
  if (result.has_fake_quant_top1()) json["fake_quant_top1"] = result.fake_quant_top1();
  if (result.has_artifact_top1()) json["artifact_top1"] = result.artifact_top1();
  return json;
}

void AddDistribution(const engine::Distribution& distribution, Json& layer) {
  if (distribution.counts.empty()) return;
  layer["range_low"] = distribution.range_low;
  layer["range_high"] = distribution.range_high;
  layer["histogram"] = {
      {"min", distribution.min}, {"max", distribution.max}, {"counts", distribution.counts}};
}

Json ToJson(const v1::Sensitivity& sensitivity) {
  Json json = {{"examples", sensitivity.examples()}, {"layers", Json::array()}};
  if (sensitivity.has_float_top1()) json["float_top1"] = sensitivity.float_top1();
  if (sensitivity.has_float_loss()) json["float_loss"] = sensitivity.float_loss();
  for (const v1::LayerSensitivity& layer : sensitivity.layers()) {
    Json row = {{"rank", layer.rank()}, {"layer", layer.layer()},     {"op_type", layer.op_type()},
                {"bits", layer.bits()}, {"weights", layer.weights()}, {"macs", layer.macs()}};
    if (layer.has_top1()) row["top1"] = layer.top1();
    if (layer.has_loss()) row["loss"] = layer.loss();
    if (layer.has_sqnr_db()) row["sqnr_db"] = layer.sqnr_db();
    json["layers"].push_back(std::move(row));
  }
  return json;
}

Json ToJson(const v1::MixedPrecision& choice) {
  Json json = {{"budget", choice.budget()},
               {"budget_limit", choice.budget_limit()},
               {"budget_used", choice.budget_used()},
               {"mean_weight_bits", choice.mean_weight_bits()},
               {"size_bytes", choice.size_bytes()},
               {"bit_operations", choice.bit_operations()},
               {"layers", Json::array()}};
  for (const v1::LayerBits& layer : choice.layers()) {
    json["layers"].push_back({{"layer", layer.layer()},
                              {"op_type", layer.op_type()},
                              {"weight_bits", layer.weight_bits()},
                              {"activation_bits", layer.activation_bits()},
                              {"weights", layer.weights()},
                              {"macs", layer.macs()},
                              {"fixed", layer.fixed()}});
  }
  return json;
}

// How far the written file is from what was trained.
Json ArtifactCheckOf(const v1::Result& result) {
  const double difference = Top1Difference(result);
  return {{"top1_difference", difference},
          {"allowed", kAllowedTop1Difference},
          {"passed", std::abs(difference) <= kAllowedTop1Difference},
          {"max_output_difference", result.max_output_difference()}};
}

}  // namespace

double Top1Difference(const v1::Result& result) {
  return result.artifact_top1() - result.fake_quant_top1();
}

Json LibraryVersions() {
  return {{"quantry", QUANTRY_VERSION},
          {"libtorch", TORCH_VERSION},
          {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
          {"opencv", CV_VERSION}};
}

Json FloatLayersToJson(const std::vector<engine::FloatLayer>& layers) {
  Json list = Json::array();
  for (const engine::FloatLayer& layer : layers) {
    list.push_back({{"layer", layer.name}, {"op_type", layer.op}, {"weights", layer.weights}});
  }
  return list;
}

std::string MakeReport(const RunRecord& record) {
  Json report = {
      {"settings", record.settings},
      {"task", record.task},
      {"classes", record.class_names},
      {"parameters", record.parameters},
      {"accuracy", AccuraciesOf(record.result)},
      {"seconds", record.seconds},
      {"train_seconds", record.result.train_seconds()},
      {"bytes", record.bytes},
      {"corrupt_pictures", {{"count", record.corrupt_pictures}, {"first", record.corrupt_names}}},
      {"versions", LibraryVersions()}};
  if (record.result.has_max_output_difference()) {
    report["max_output_difference"] = record.result.max_output_difference();
  }
  if (record.result.has_fake_quant_top1() && record.result.has_artifact_top1()) {
    report["artifact_check"] = ArtifactCheckOf(record.result);
  }
  report["metrics"] = Json::array();
  for (const v1::Metrics& metrics : record.metrics) report["metrics"].push_back(ToJson(metrics));
  report["layers"] = Json::array();
  for (int i = 0; i < record.result.layers_size(); ++i) {
    report["layers"].push_back(ToJson(record.result.layers(i)));
    const auto index = static_cast<size_t>(i);
    if (index < record.distributions.size()) {
      AddDistribution(record.distributions[index], report["layers"].back());
    }
  }
  report["float_layers"] = FloatLayersToJson(record.float_layers);
  if (record.result.equalized_pairs() > 0) {
    report["equalized_pairs"] = record.result.equalized_pairs();
  }
  if (record.result.corrected_layers() > 0) {
    report["corrected_layers"] = record.result.corrected_layers();
  }
  if (record.result.adapted_layers() > 0) {
    report["adapted_layers"] = record.result.adapted_layers();
  }
  if (record.result.has_sensitivity()) {
    report["sensitivity"] = ToJson(record.result.sensitivity());
  }
  if (record.result.has_mixed_precision()) {
    report["mixed_precision"] = ToJson(record.result.mixed_precision());
  }
  // Names of folders and nodes need not be UTF-8; JSON texts are.
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace quantry::trainer
