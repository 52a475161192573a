#include "worker/trainer/report.h"

#include <google/protobuf/stubs/common.h>
#include <torch/version.h>

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

}  // namespace

Json LibraryVersions() {
  return {{"quantry", QUANTRY_VERSION},
          {"libtorch", TORCH_VERSION},
          {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
          {"opencv", CV_VERSION}};
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
  report["metrics"] = Json::array();
  for (const v1::Metrics& metrics : record.metrics) report["metrics"].push_back(ToJson(metrics));
  report["layers"] = Json::array();
  for (const v1::LayerQuantization& layer : record.result.layers()) {
    report["layers"].push_back(ToJson(layer));
  }
  // Names of folders and nodes need not be UTF-8; JSON texts are.
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace quantry::trainer
