#ifndef QUANTRY_WORKER_ENGINE_TRAIN_LAYER_PROBE_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_LAYER_PROBE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/quant_config.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/passes/annotate.h"
#include "worker/engine/passes/planned_layers.h"

namespace quantry::engine {

// A float model of which single layers can be quantized and set free again, after one calibration
// for all of them and all widths. Not thread-safe.
//
//   QUANTRY_ASSIGN_OR_RETURN(auto probe, LayerProbe::Create(model, config, pact, {8, 4}));
//   QUANTRY_RETURN_IF_ERROR(Calibrate(probe->graph(), loader, batches));
//   probe->FinishCalibration();
//   probe->Quantize(layer, 4, LayerProbe::Parts::kAll);   // run probe->graph()
//   probe->SetFree();
class LayerProbe {
 public:
  // Works on a copy of `model`, BatchNorm folded where `config` wants it before training. `bits`:
  // the widths to come, none twice. Errors: those of Annotate.
  static absl::StatusOr<std::unique_ptr<LayerProbe>> Create(const Graph& model,
                                                            const QuantConfig& config,
                                                            const PactStart& pact,
                                                            std::vector<int> bits);

  // What to run. Until FinishCalibration() it holds a quantizer of each tensor and width.
  const Graph& graph() const { return graph_; }
  const std::vector<PlannedLayer>& layers() const { return layers_; }

  // Keeps what the quantizers saw; the graph is the float model from then on.
  void FinishCalibration();

  enum class Parts { kAll, kWeightOnly };
  // Quantizes layer `layer` (an index of layers()) at `bits`, one of the widths of Create. Only
  // one layer at a time.
  void Quantize(size_t layer, int bits, Parts parts);
  void SetFree();

 private:
  explicit LayerProbe(std::vector<int> bits) : bits_(std::move(bits)) {}
  // The plan for tensor `tensor` alone, at `bits`, for the nodes of `layer` (null: all).
  QuantPlan PlanFor(size_t tensor, int bits, const PlannedLayer* layer) const;

  Graph graph_;
  const std::vector<int> bits_;
  QuantPlan plan_;
  std::vector<PlannedLayer> layers_;
  // Inputs of the FakeQuantize node of a tensor of the plan at a width, by slot; undefined where
  // there is none.
  std::map<std::pair<size_t, int>, std::vector<at::Tensor>> states_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_LAYER_PROBE_H_
