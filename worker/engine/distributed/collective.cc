#include "worker/engine/distributed/collective.h"

#include <ATen/ATen.h>

#include <cstring>
#include <stdexcept>

#include "common/status_macros.h"

namespace quantry::engine {
namespace {

class Done final : public PendingReduction {
 public:
  absl::Status Wait() override { return absl::OkStatus(); }
};

at::Tensor BytesOf(const std::string& text, int64_t size) {
  at::Tensor bytes = at::zeros({size}, at::kByte);
  if (!text.empty()) std::memcpy(bytes.data_ptr(), text.data(), text.size());
  return bytes;
}

std::string TextOf(const at::Tensor& bytes) {
  return std::string(static_cast<const char*>(bytes.data_ptr()),
                     static_cast<size_t>(bytes.numel()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PendingReduction>> SingleProcess::StartSum(at::Tensor) {
  return std::make_unique<Done>();
}

absl::StatusOr<std::string> BroadcastText(Collective& ranks, const std::string& text) {
  if (ranks.size() == 1) return text;
  at::Tensor size = at::full({1}, static_cast<int64_t>(text.size()), at::kLong);
  QUANTRY_RETURN_IF_ERROR(ranks.Broadcast(size));
  const int64_t count = size.item<int64_t>();
  if (count == 0) return std::string();
  at::Tensor bytes = ranks.leads() ? BytesOf(text, count) : at::zeros({count}, at::kByte);
  QUANTRY_RETURN_IF_ERROR(ranks.Broadcast(bytes));
  return TextOf(bytes);
}

absl::StatusOr<std::string> FirstText(Collective& ranks, const std::string& text) {
  if (ranks.size() == 1) return text;
  at::Tensor sizes = at::zeros({ranks.size()}, at::kLong);
  sizes[ranks.rank()] = static_cast<int64_t>(text.size());
  QUANTRY_RETURN_IF_ERROR(ranks.AllReduce(sizes, RankReduction::kSum));
  for (int rank = 0; rank < ranks.size(); ++rank) {
    const int64_t size = sizes[rank].item<int64_t>();
    if (size == 0) continue;
    const at::Tensor bytes =
        rank == ranks.rank() ? BytesOf(text, size) : at::zeros({size}, at::kByte);
    QUANTRY_RETURN_IF_ERROR(ranks.AllReduce(bytes, RankReduction::kSum));
    return TextOf(bytes);
  }
  return std::string();
}

absl::StatusOr<bool> AnyRank(Collective& ranks, bool condition) {
  if (ranks.size() == 1) return condition;
  at::Tensor flag = at::full({1}, condition ? int64_t{1} : int64_t{0}, at::kLong);
  QUANTRY_RETURN_IF_ERROR(ranks.AllReduce(flag, RankReduction::kMax));
  return flag.item<int64_t>() != 0;
}

void ThrowUnlessOk(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(std::string(status.message()));
}

}  // namespace quantry::engine
