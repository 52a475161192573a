#include "worker/trainer/inspect_command.h"

#include <iostream>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/quant_config.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "worker/engine/export/write_onnx.h"
#include "worker/engine/import/import_onnx.h"
#include "worker/engine/import/inspect.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/float_layers.h"
#include "worker/engine/passes/insert_fake_quant.h"
#include "worker/engine/script/import_script.h"
#include "worker/engine/zoo/zoo.h"
#include "worker/trainer/report.h"
#include "worker/trainer/run_command.h"

namespace quantry::trainer {
namespace {

using Json = nlohmann::json;

Json PortsToJson(const std::vector<engine::OnnxSummary::Port>& ports) {
  Json list = Json::array();
  for (const auto& port : ports) list.push_back({{"name", port.name}, {"type", port.type}});
  return list;
}

Json ToJson(const engine::OnnxSummary& summary) {
  Json operators = Json::array();
  Json unsupported = Json::array();
  for (const auto& entry : summary.operators) {
    operators.push_back({{"op", entry.op},
                         {"count", entry.count},
                         {"supported", entry.supported},
                         {"inlined", entry.inlined}});
    if (!entry.supported) unsupported.push_back(entry.op);
  }
  return {{"name", summary.name},
          {"producer", summary.producer},
          {"ir_version", summary.ir_version},
          {"opset", summary.opset},
          {"inputs", PortsToJson(summary.inputs)},
          {"outputs", PortsToJson(summary.outputs)},
          {"nodes", summary.node_count},
          {"parameters", summary.parameter_count},
          {"operators", operators},
          {"unsupported", unsupported}};
}

// The tensors that the default quant_config quantizes, or why there are none, and the layers whose
// weights it leaves in float.
void AddQuantized(absl::StatusOr<engine::Graph> graph, Json& json) {
  json["quantized"] = Json::array();
  json["float_layers"] = Json::array();
  if (!graph.ok()) {
    json["error"] = std::string(graph.status().message());
    return;
  }
  const auto plan = engine::Annotate(*graph, QuantConfig(), {});
  if (!plan.ok()) {
    json["error"] = std::string(plan.status().message());
    return;
  }
  for (const engine::PlannedTensor& tensor : plan->tensors) {
    Json layers = Json::array();
    for (const engine::Use& use : tensor.uses) layers.push_back(use.node->name());
    json["quantized"].push_back({{"tensor", tensor.value->name()},
                                 {"kind", tensor.spec.is_weight ? "weight" : "activation"},
                                 {"quantizer", tensor.spec.quantizer},
                                 {"layers", layers}});
  }
  engine::InsertFakeQuant(*graph, *plan);
  const auto float_layers = engine::FloatLayers(*graph);
  if (float_layers.ok()) json["float_layers"] = FloatLayersToJson(*float_layers);
}

void PrintPorts(const char* title, const Json& ports) {
  for (const Json& port : ports) {
    std::cout << absl::StrFormat("%-12s%s: %s\n", title, port["name"].get<std::string>(),
                                 port["type"].get<std::string>());
  }
}

void PrintText(const Json& json) {
  std::cout << absl::StrFormat("%-12s%s\n", "model", json["name"].get<std::string>())
            << absl::StrFormat("%-12s%s, opset %d\n", "producer",
                               json["producer"].get<std::string>(), json["opset"].get<int64_t>());
  PrintPorts("input", json["inputs"]);
  PrintPorts("output", json["outputs"]);
  std::cout << absl::StrFormat("%-12s%d\n", "parameters", json["parameters"].get<int64_t>())
            << absl::StrFormat("%-12s%d\n", "nodes", json["nodes"].get<int64_t>());
  for (const Json& entry : json["operators"]) {
    const char* remark = entry["inlined"].get<bool>()     ? "  inlined"
                         : entry["supported"].get<bool>() ? ""
                                                          : "  UNSUPPORTED";
    std::cout << absl::StrFormat("  %-28s%6d%s\n", entry["op"].get<std::string>(),
                                 entry["count"].get<int64_t>(), remark);
  }
  int64_t weights = 0;
  for (const Json& entry : json["quantized"]) weights += entry["kind"] == "weight" ? 1 : 0;
  std::cout << absl::StrFormat("%-12s%d weights and %d activations\n", "quantized", weights,
                               static_cast<int64_t>(json["quantized"].size()) - weights);
  for (const Json& layer : json["float_layers"]) {
    std::cout << absl::StrFormat(
        "%-12s%s (%s), %d weights\n", "in float", layer["layer"].get<std::string>(),
        layer["op_type"].get<std::string>(), layer["weights"].get<int64_t>());
  }
  if (json.contains("error")) {
    std::cout << absl::StrFormat("%-12s%s\n", "error", json["error"].get<std::string>());
  }
}

// A model without a file in ONNX is described as the file that it would be.
absl::StatusOr<Json> DescribeGraph(engine::Graph graph) {
  QUANTRY_ASSIGN_OR_RETURN(const std::string bytes, engine::WriteOnnx(graph));
  QUANTRY_ASSIGN_OR_RETURN(const auto summary, engine::DescribeOnnx(bytes));
  Json json = ToJson(summary);
  AddQuantized(std::move(graph), json);
  return json;
}

absl::StatusOr<Json> DescribeFile(const InspectCommand& command) {
  if (engine::IsTorchScriptFile(command.model)) {
    QUANTRY_ASSIGN_OR_RETURN(
        engine::Graph graph,
        engine::ImportTorchScriptFile(
            command.model, {.input_shapes = {{3, command.image_size, command.image_size}}}));
    return DescribeGraph(std::move(graph));
  }
  QUANTRY_ASSIGN_OR_RETURN(const auto summary, engine::DescribeOnnxFile(command.model));
  Json json = ToJson(summary);
  AddQuantized(engine::ImportOnnxFile(command.model), json);
  return json;
}

absl::StatusOr<Json> DescribeBuiltin(const InspectCommand& command) {
  QUANTRY_ASSIGN_OR_RETURN(
      engine::Graph graph,
      engine::BuildZooModel(command.builtin,
                            {.num_classes = command.num_classes, .width = command.width}));
  return DescribeGraph(std::move(graph));
}

}  // namespace

int InspectModel(const InspectCommand& command) {
  const absl::StatusOr<Json> described =
      command.builtin.empty() ? DescribeFile(command) : DescribeBuiltin(command);
  if (!described.ok()) {
    std::cerr << "quantry-trainer inspect: " << described.status().message() << std::endl;
    return kExitFailed;
  }
  const Json& json = *described;
  if (command.json) {
    std::cout << json.dump(2) << std::endl;
  } else {
    PrintText(json);
  }
  return json.contains("error") ? kExitFailed : kExitOk;
}

}  // namespace quantry::trainer
