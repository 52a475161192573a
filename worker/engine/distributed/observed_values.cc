#include "worker/engine/distributed/observed_values.h"

#include <ATen/ATen.h>

#include <vector>

#include "common/status_macros.h"

namespace quantry::engine {

at::Tensor RangeOfAllRanks(const at::Tensor& x, Collective& ranks) {
  const at::NoGradGuard no_grad;
  // Negated, so that one reduction finds both ends.
  at::Tensor ends = at::zeros({2}, x.options().dtype(at::kFloat).requires_grad(false));
  if (x.numel() > 0) {
    const auto [smallest, largest] = at::aminmax(x.detach());
    ends = at::stack({-smallest, largest}).to(at::kFloat).clamp_min(0);
  }
  ThrowUnlessOk(ranks.AllReduce(ends, RankReduction::kMax));
  return at::stack({-ends[0], ends[1]});
}

at::Tensor ValuesOfAllRanks(const at::Tensor& x, Collective& ranks) {
  const at::NoGradGuard no_grad;
  at::Tensor counts = at::zeros({ranks.size()}, at::kLong);
  counts[ranks.rank()] = x.numel();
  ThrowUnlessOk(ranks.AllReduce(counts, RankReduction::kSum));
  const int64_t first = counts.slice(0, 0, ranks.rank()).sum().item<int64_t>();
  auto all = RowsOfAllRanks(x.detach().reshape({-1}), first, counts.sum().item<int64_t>(), ranks);
  ThrowUnlessOk(all.status());
  return *std::move(all);
}

absl::StatusOr<at::Tensor> RowsOfAllRanks(const at::Tensor& rows, int64_t first, int64_t all_rows,
                                          Collective& ranks) {
  const at::NoGradGuard no_grad;
  if (rows.scalar_type() == at::kBool) {  // which can't be added up
    QUANTRY_ASSIGN_OR_RETURN(const at::Tensor bytes,
                             RowsOfAllRanks(rows.to(at::kByte), first, all_rows, ranks));
    return bytes.to(at::kBool);
  }
  std::vector<int64_t> sizes = rows.sizes().vec();
  sizes[0] = all_rows;
  // Not that of `rows`: nothing says which format no rows have.
  const at::MemoryFormat format =
      rows.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  // Adding zeros gives each row to everyone.
  at::Tensor all =
      at::empty(sizes, rows.options().requires_grad(false).memory_format(format)).zero_();
  all.narrow(0, first, rows.size(0)).copy_(rows);
  // The same memory seen as one row, as reductions want it.
  QUANTRY_RETURN_IF_ERROR(ranks.AllReduce(all.as_strided({all.numel()}, {1}), RankReduction::kSum));
  return all;
}

}  // namespace quantry::engine
