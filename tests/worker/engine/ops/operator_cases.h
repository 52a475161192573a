#ifndef QUANTRY_TESTS_WORKER_ENGINE_OPS_OPERATOR_CASES_H_
#define QUANTRY_TESTS_WORKER_ENGINE_OPS_OPERATOR_CASES_H_

#include <ATen/core/Tensor.h>

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "worker/engine/graph/types.h"
#include "worker/engine/ops/operator.h"

namespace quantry::engine {

// One evaluation of one operator with the answer it must give.
struct OperatorCase {
  std::string op;
  std::string name;  // what is special about it
  AttributeMap attributes;
  std::vector<at::Tensor> inputs;  // undefined: left out
  at::Tensor expected;             // undefined: only the gradient is looked at
  RunPhase phase = RunPhase::kEvaluate;
  // Inputs whose gradient is compared with central differences.
  std::vector<size_t> differentiable;
  size_t outputs = 1;  // that the node has; the first is looked at
};

// How GoogleTest shows a case.
void PrintTo(const OperatorCase& operator_case, std::ostream* out);

// All cases, at least one per operator.
std::vector<OperatorCase> OperatorCases();

// By family.
std::vector<OperatorCase> GradientCases();  // these have no expected value
std::vector<OperatorCase> LayerCases();
std::vector<OperatorCase> PointwiseCases();
std::vector<OperatorCase> PoolingCases();
std::vector<OperatorCase> QuantizeCases();
std::vector<OperatorCase> ShapeCases();
std::vector<OperatorCase> VisionCases();

// Numbers in (-2, 2), all different and none near 0, float32. The same for the same sizes and seed.
at::Tensor Numbers(at::IntArrayRef sizes, int seed = 0);

// f of every element, in double, by a scalar loop.
at::Tensor Map(const at::Tensor& x, const std::function<double(double)>& f);

using Ints = std::vector<int64_t>;

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_OPS_OPERATOR_CASES_H_
