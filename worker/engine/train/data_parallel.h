#ifndef QUANTRY_WORKER_ENGINE_TRAIN_DATA_PARALLEL_H_
#define QUANTRY_WORKER_ENGINE_TRAIN_DATA_PARALLEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/data/loader.h"
#include "worker/engine/distributed/batch_share.h"
#include "worker/engine/distributed/collective.h"
#include "worker/engine/distributed/gradient_buckets.h"
#include "worker/engine/graph/graph.h"
#include "worker/engine/train/optimizer.h"

namespace quantry::engine {

// What this process trains on of one batch.
struct BatchPart {
  int64_t all_rows = 0;            // of the whole batch; 0: nothing to train on
  std::vector<at::Tensor> inputs;  // [n, ...] each, n >= 1 unless all_rows is 0
  at::Tensor targets;              // as in Batch
  // Of the whole batch; only if asked for, or if this process has all of it.
  std::vector<at::Tensor> all_inputs;
  at::Tensor all_targets;
  // Absent: `inputs` are the whole batch.
  std::optional<BatchShare> share;
  // By which this part's mean loss is multiplied, so that the sum over all ranks is the batch's
  // mean.
  double weight = 1.0;

  // This part's rows of something that the whole batch has, [all_rows, ...]; undefined stays so.
  at::Tensor Own(const at::Tensor& whole) const;
  std::vector<at::Tensor> Own(const std::vector<at::Tensor>& whole) const;
};

// What a training loop does beside its own work when several processes (ranks) divide every batch
// among them, so that together they take the steps that one would: rank r of R has rows from n r /
// R to n (r + 1) / R. Of a batch too small to give everyone a row all ranks compute the whole. With
// one rank nothing happens. Every function must be called on all ranks alike. Not thread-safe.
class DataParallel {
 public:
  // `ranks` and `graph`, whose parameters must be prepared for training, must outlive the object.
  DataParallel(const Graph& graph, Collective& ranks, bool sync_batch_norm);

  bool active() const { return ranks_.size() > 1; }
  bool leads() const { return ranks_.leads(); }
  // Of the batches that the loader is to hand over.
  Shard shard() const { return {.index = ranks_.rank(), .count = ranks_.size()}; }

  // Makes `tensors` and `steps_done` of all ranks those of rank 0. FAILED_PRECONDITION if they run
  // different jobs.
  absl::Status Synchronize(const std::vector<NamedTensor>& tensors, int64_t steps_done);

  // `batch`: the shard of this rank. `gather`: all_inputs and all_targets are needed.
  absl::StatusOr<BatchPart> Divide(const Batch& batch, bool gather);

  // The rows of all ranks, of `own` rows that go with those of `part`; undefined stays so.
  absl::StatusOr<at::Tensor> AllRows(const at::Tensor& own, const BatchPart& part);

  // The sum over all ranks.
  absl::StatusOr<double> Sum(double own);

  // Before and after the backward that completes the gradients of an update: makes them sums over
  // all ranks, and after it BatchNorm statistics that are not synchronised the mean of all ranks'.
  void BeginReduction();
  absl::Status FinishReduction();

  // The sums over all ranks of gradients that are not yet complete.
  absl::StatusOr<std::vector<NamedTensor>> SumOf(std::vector<NamedTensor> gradients);

  // Whether `own` holds on any rank.
  absl::StatusOr<bool> Any(bool own) { return AnyRank(ranks_, own); }

  // What rank 0 found, on all ranks; `own` matters on rank 0 alone. Its error is everyone's.
  absl::StatusOr<double> OfLeader(const absl::StatusOr<double>& own);

  // The error of the lowest rank that has one, on all ranks, with code and payloads of this rank's
  // own error, which all must have.
  absl::Status FirstError(const absl::Status& own, bool mine_is_the_cause);

  // BatchNorm statistics that are not synchronised: makes them the mean of all ranks'.
  absl::Status AverageStatistics();

 private:
  Collective& ranks_;
  const bool sync_batch_norm_;
  std::vector<at::Tensor> statistics_;      // running means and variances; empty if synchronised
  std::optional<GradientBuckets> buckets_;  // with several ranks
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_TRAIN_DATA_PARALLEL_H_
