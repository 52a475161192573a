#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_OBSERVED_VALUES_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_OBSERVED_VALUES_H_

#include <ATen/core/Tensor.h>

#include "worker/engine/distributed/collective.h"

namespace quantry::engine {

// What observers are shown instead of one rank's tensor x, the same on all ranks. Both take no
// gradient, allow ranks with different shapes, and throw std::exception where the ranks can't be
// reached.

// {min(0, min x), max(0, max x)} over all ranks: to whatever looks at ranges alone, the same as all
// values. x: float.
at::Tensor RangeOfAllRanks(const at::Tensor& x, Collective& ranks);

// All values of all ranks, [n], in the order of the ranks. Costs as much traffic as x is large.
at::Tensor ValuesOfAllRanks(const at::Tensor& x, Collective& ranks);

// The rows of all ranks [all_rows, ...] from `rows` [n, ...] of this one, which begin at row
// `first` of all; of any number type that Gloo adds up (no
// bfloat16), or bool. Four dimensions: channels_last.
absl::StatusOr<at::Tensor> RowsOfAllRanks(const at::Tensor& rows, int64_t first, int64_t all_rows,
                                          Collective& ranks);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_OBSERVED_VALUES_H_
