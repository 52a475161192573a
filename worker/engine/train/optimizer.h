#ifndef QUANTRY_WORKER_ENGINE_TRAIN_OPTIMIZER_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_OPTIMIZER_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace quantry::engine {

// A tensor and what it is called in checkpoints and messages. Copies share the tensor.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// Parameters that are trained alike.
struct ParameterGroup {
  std::vector<NamedTensor> parameters;
  double weight_decay = 0.0;          // >= 0; what it does is the optimizer's
  double learning_rate_factor = 1.0;  // times the step's rate, > 0
};

// Which optimizer, and the constants of all of them; each uses its own.
struct OptimizerOptions {
  std::string name = "sgd";  // a line of OptimizerTable()
  double momentum = 0.9;     // sgd: [0, 1)
  double beta1 = 0.9;        // adam, adamw: share of the old mean, [0, 1)
  double beta2 = 0.999;      // adam, adamw: share of the old mean of squares, [0, 1)
  double epsilon = 1e-8;     // adam, adamw: added to the root, > 0

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

// Changes parameters in place by their gradients. Not thread-safe.
class Optimizer {
 public:
  explicit Optimizer(std::vector<ParameterGroup> groups) : groups_(std::move(groups)) {}
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Uses and may spoil the gradients; parameters without one are left alone, their state too.
  void Step(double learning_rate);
  void ZeroGradients();

  // All parameters, over all groups.
  std::vector<NamedTensor> Parameters() const;
  // All that the next step depends on beside parameters and gradients, each under the parameter's
  // name with a suffix. Copying into the tensors restores a state.
  virtual std::vector<NamedTensor> State() const = 0;

 protected:
  const std::vector<ParameterGroup>& groups() const { return groups_; }

 private:
  // One parameter with a gradient: number `index` of Parameters().
  virtual void StepOne(size_t index, at::Tensor parameter, at::Tensor gradient, double rate,
                       double weight_decay) = 0;

  std::vector<ParameterGroup> groups_;
};

// One kind of optimizer. A new one: a file with its class and a line in the table.
struct OptimizerDef {
  absl::string_view name;
  std::unique_ptr<Optimizer> (*make)(std::vector<ParameterGroup> groups, const OptimizerOptions&);
};

absl::Span<const OptimizerDef> OptimizerTable();

// `options` must be valid.
std::unique_ptr<Optimizer> MakeOptimizer(std::vector<ParameterGroup> groups,
                                         const OptimizerOptions& options);

// Scales all gradients by max_norm / (norm + 1e-6) if their global L2 norm is above `max_norm`
// (torch.nn.utils.clip_grad_norm_); returns the norm from before.
double ClipGradientNorm(absl::Span<const NamedTensor> parameters, double max_norm);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_OPTIMIZER_H_
