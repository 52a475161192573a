#ifndef QUANTRY_WORKER_ENGINE_EVALUATE_DISTRIBUTION_H_
#define QUANTRY_WORKER_ENGINE_EVALUATE_DISTRIBUTION_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/graph/graph.h"

namespace quantry::engine {

// How the values of a tensor are spread, and what its quantizer can represent of them.
struct Distribution {
  double min = 0.0;  // of the values; bins of equal width reach from min to max
  double max = 0.0;
  std::vector<int64_t> counts;  // values per bin; all of them where min = max
  double range_low = 0.0;       // least and greatest value that the quantizer keeps; with a range
  double range_high = 0.0;      // per channel, of all channels
};

// Of the finite values of a float tensor; empty counts if there are none.
Distribution DistributionOf(const at::Tensor& x, int64_t bins);

// The input of every fake-quant node of `graph`, by node name, in the first batch of epoch 0.
absl::StatusOr<std::map<std::string, Distribution>> MeasureDistributions(const Graph& graph,
                                                                         Loader& loader,
                                                                         int64_t bins);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_EVALUATE_DISTRIBUTION_H_
