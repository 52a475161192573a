#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_COLLECTIVE_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_COLLECTIVE_H_

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quantry::engine {

enum class RankReduction { kSum = 1, kMax = 2 };

// A collective operation that is under way.
class PendingReduction {
 public:
  virtual ~PendingReduction() = default;
  // Blocks until the tensor holds the result. As Collective::AllReduce.
  virtual absl::Status Wait() = 0;
};

// The processes (ranks) that train one model together. Every rank must make the same calls in the
// same order, with tensors of the same shape and type; a call returns on all of them or on none.
// When one rank is lost or leaves with an error, every call on the others fails within seconds with
// UNAVAILABLE that names it; after that nothing works any more. Used from one thread.
class Collective {
 public:
  virtual ~Collective() = default;

  virtual int rank() const = 0;  // in [0, size())
  virtual int size() const = 0;  // >= 1

  // Makes `tensor` (contiguous, in CPU memory or on the device that the ranks joined with, float32,
  // float64, int64 or uint8) on every rank the reduction of all of them; the result has the same
  // bits everywhere.
  virtual absl::Status AllReduce(at::Tensor tensor, RankReduction reduction) = 0;
  // The same in the background; `tensor` must be left alone until Wait. Sum only.
  virtual absl::StatusOr<std::unique_ptr<PendingReduction>> StartSum(at::Tensor tensor) = 0;
  // Makes `tensor` (contiguous, in memory as above) on every rank that of rank 0.
  virtual absl::Status Broadcast(at::Tensor tensor) = 0;

  // OK as long as all ranks are known to live. Cheap, and looks without waiting for anyone: for
  // long work that has no collective calls.
  virtual absl::Status Health() const = 0;

  bool leads() const { return rank() == 0; }
};

// The only rank of a run in one process: everything is done already.
class SingleProcess final : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  absl::Status AllReduce(at::Tensor, RankReduction) override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<PendingReduction>> StartSum(at::Tensor) override;
  absl::Status Broadcast(at::Tensor) override { return absl::OkStatus(); }
  absl::Status Health() const override { return absl::OkStatus(); }
};

// Rank 0's `text` on every rank.
absl::StatusOr<std::string> BroadcastText(Collective& ranks, const std::string& text);

// The `text` of the lowest rank that has one; empty if none has.
absl::StatusOr<std::string> FirstText(Collective& ranks, const std::string& text);

// Whether `condition` holds on any rank.
absl::StatusOr<bool> AnyRank(Collective& ranks, bool condition);

// For code that reports errors by exception (operators, autograd): throws what `status` says.
void ThrowUnlessOk(const absl::Status& status);

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_COLLECTIVE_H_
