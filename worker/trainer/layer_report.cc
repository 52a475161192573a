#include "worker/trainer/layer_report.h"

#include "worker/engine/export/tensor_report.h"

namespace quantry::trainer {

std::vector<v1::LayerQuantization> DescribeLayers(const engine::Graph& graph,
                                                  const std::map<std::string, double>& sqnr_db) {
  std::vector<v1::LayerQuantization> layers;
  for (const engine::TensorReport& tensor : engine::ReportTensors(graph)) {
    v1::LayerQuantization& entry = layers.emplace_back();
    entry.set_layer(tensor.layer);
    entry.set_op_type(tensor.op_type);
    entry.set_tensor(tensor.is_weight ? "weight" : "activation");
    entry.set_quantizer(tensor.quantizer);
    entry.set_bits(tensor.bits);
    entry.set_per_channel(tensor.per_channel);
    entry.set_scale_min(tensor.scale_min);
    entry.set_scale_max(tensor.scale_max);
    const auto sqnr = sqnr_db.find(tensor.fake_quant_node);
    if (sqnr != sqnr_db.end()) entry.set_sqnr_db(sqnr->second);
  }
  return layers;
}

}  // namespace quantry::trainer
