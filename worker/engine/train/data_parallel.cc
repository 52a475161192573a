#include "worker/engine/train/data_parallel.h"

#include <ATen/ATen.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "worker/engine/distributed/observed_values.h"

namespace quantry::engine {
namespace {

constexpr size_t kMeanInput = 3;
constexpr size_t kVarianceInput = 4;

// `operation` on the values of `tensor` in one row, and its result back into the tensor.
template <typename Operation>
absl::Status InOneRow(const at::Tensor& tensor, const Operation& operation) {
  const at::Tensor values = tensor.detach();
  const at::Tensor row = values.reshape({-1});  // a copy unless contiguous
  if (row.numel() == 0) return absl::OkStatus();
  QUANTRY_RETURN_IF_ERROR(operation(row));
  if (row.data_ptr() != values.data_ptr()) values.copy_(row.view(values.sizes()));
  return absl::OkStatus();
}

std::vector<at::Tensor> StatisticsOf(const Graph& graph) {
  std::vector<at::Tensor> statistics;
  for (const Node* node : graph.nodes()) {
    if (node->op() != "BatchNormalization") continue;
    for (const size_t index : {kMeanInput, kVarianceInput}) {
      if (node->input(index)->is_initializer()) statistics.push_back(node->input(index)->tensor());
    }
  }
  return statistics;
}

std::vector<at::Tensor> ParametersOf(const Graph& graph) {
  std::vector<at::Tensor> parameters;
  for (const Value* value : graph.initializers(InitializerRole::kParameter)) {
    parameters.push_back(value->tensor());
  }
  return parameters;
}

}  // namespace

at::Tensor BatchPart::Own(const at::Tensor& whole) const {
  return share && whole.defined() ? whole.narrow(0, share->first, share->rows) : whole;
}

std::vector<at::Tensor> BatchPart::Own(const std::vector<at::Tensor>& whole) const {
  std::vector<at::Tensor> own;
  for (const at::Tensor& tensor : whole) own.push_back(Own(tensor));
  return own;
}

DataParallel::DataParallel(const Graph& graph, Collective& ranks, bool sync_batch_norm)
    : ranks_(ranks), sync_batch_norm_(sync_batch_norm) {
  if (ranks_.size() == 1) return;
  if (!sync_batch_norm_) statistics_ = StatisticsOf(graph);
  buckets_.emplace(ParametersOf(graph), ranks_);
}

absl::Status DataParallel::Synchronize(const std::vector<NamedTensor>& tensors,
                                       int64_t steps_done) {
  if (!active()) return absl::OkStatus();
  int64_t elements = 0;
  for (const NamedTensor& named : tensors) elements += named.tensor.numel();
  // The largest of v and of -v are those of every rank only if all are the same.
  const at::Tensor shape =
      at::tensor({static_cast<int64_t>(tensors.size()), elements, steps_done}, at::kLong);
  at::Tensor ends = at::cat({shape, -shape});
  QUANTRY_RETURN_IF_ERROR(ranks_.AllReduce(ends, RankReduction::kMax));
  if (!ends.equal(at::cat({shape, -shape}))) {
    return absl::FailedPreconditionError(
        absl::StrCat("the ranks do not run the same job: here are ", tensors.size(), " tensors of ",
                     elements, " elements at step ", steps_done, "; give all ranks the same spec"));
  }
  for (const NamedTensor& named : tensors) {
    QUANTRY_RETURN_IF_ERROR(
        InOneRow(named.tensor, [this](const at::Tensor& row) { return ranks_.Broadcast(row); }));
  }
  return absl::OkStatus();
}

absl::StatusOr<BatchPart> DataParallel::Divide(const Batch& batch, bool gather) {
  const int64_t own = batch.size();
  BatchPart part{.all_rows = own,
                 .inputs = batch.inputs,
                 .targets = batch.targets,
                 .all_inputs = batch.inputs,
                 .all_targets = batch.targets};
  if (!active()) return part;
  // Not known beforehand: corrupt pictures are left out.
  at::Tensor rows = at::zeros({ranks_.size()}, at::kLong);
  rows[ranks_.rank()] = own;
  QUANTRY_RETURN_IF_ERROR(ranks_.AllReduce(rows, RankReduction::kSum));
  part.all_rows = rows.sum().item<int64_t>();
  if (part.all_rows == 0) return part;
  const int64_t first = rows.slice(0, 0, ranks_.rank()).sum().item<int64_t>();
  const bool whole = rows.min().item<int64_t>() == 0;
  if (gather || whole) {
    for (at::Tensor& input : part.all_inputs) {
      QUANTRY_ASSIGN_OR_RETURN(input, RowsOfAllRanks(input, first, part.all_rows, ranks_));
    }
    if (batch.targets.defined()) {
      QUANTRY_ASSIGN_OR_RETURN(part.all_targets,
                               RowsOfAllRanks(batch.targets, first, part.all_rows, ranks_));
    }
  }
  if (whole) {
    part.inputs = part.all_inputs;
    part.targets = part.all_targets;
    part.weight = 1.0 / ranks_.size();
    return part;
  }
  part.share.emplace(BatchShare{.ranks = ranks_,
                                .first = first,
                                .rows = own,
                                .all_rows = part.all_rows,
                                .sync_batch_norm = sync_batch_norm_});
  part.weight = static_cast<double>(own) / static_cast<double>(part.all_rows);
  return part;
}

absl::StatusOr<at::Tensor> DataParallel::AllRows(const at::Tensor& own, const BatchPart& part) {
  if (!part.share || !own.defined() || own.dim() == 0) return own;
  if (own.size(0) != part.share->rows) return own;  // no rows of the batch: nothing to put together
  return RowsOfAllRanks(own, part.share->first, part.share->all_rows, ranks_);
}

absl::StatusOr<double> DataParallel::Sum(double own) {
  if (!active()) return own;
  at::Tensor sum = at::full({1}, own, at::kDouble);
  QUANTRY_RETURN_IF_ERROR(ranks_.AllReduce(sum, RankReduction::kSum));
  return sum.item<double>();
}

void DataParallel::BeginReduction() {
  if (buckets_) buckets_->Begin();
}

absl::Status DataParallel::FinishReduction() {
  return buckets_ ? buckets_->Finish() : absl::OkStatus();
}

absl::StatusOr<std::vector<NamedTensor>> DataParallel::SumOf(std::vector<NamedTensor> gradients) {
  if (!active()) return gradients;
  for (NamedTensor& gradient : gradients) {
    gradient.tensor = gradient.tensor.detach().clone();
    QUANTRY_RETURN_IF_ERROR(InOneRow(gradient.tensor, [this](const at::Tensor& row) {
      return ranks_.AllReduce(row, RankReduction::kSum);
    }));
  }
  return gradients;
}

absl::StatusOr<double> DataParallel::OfLeader(const absl::StatusOr<double>& own) {
  if (!active()) return own;
  const bool failed = leads() && !own.ok();
  at::Tensor answer = at::zeros({2}, at::kDouble);
  answer[0] = failed ? static_cast<double>(own.status().code()) : 0.0;
  answer[1] = leads() && own.ok() ? *own : 0.0;
  QUANTRY_RETURN_IF_ERROR(ranks_.Broadcast(answer));
  const auto code = static_cast<absl::StatusCode>(static_cast<int>(answer[0].item<double>()));
  if (code == absl::StatusCode::kOk) return answer[1].item<double>();
  QUANTRY_ASSIGN_OR_RETURN(
      const std::string message,
      BroadcastText(ranks_, failed ? std::string(own.status().message()) : std::string()));
  if (leads()) return own.status();
  return absl::Status(code, absl::StrCat("rank 0: ", message));
}

absl::Status DataParallel::FirstError(const absl::Status& own, bool mine_is_the_cause) {
  if (!active()) return own;
  QUANTRY_ASSIGN_OR_RETURN(
      const std::string text,
      FirstText(ranks_, mine_is_the_cause ? std::string(own.message()) : std::string()));
  absl::Status status(own.code(), text.empty() ? own.message() : absl::string_view(text));
  own.ForEachPayload([&status](absl::string_view url, const absl::Cord& payload) {
    status.SetPayload(url, payload);
  });
  return status;
}

absl::Status DataParallel::AverageStatistics() {
  if (statistics_.empty()) return absl::OkStatus();
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> flat;
  for (const at::Tensor& tensor : statistics_) flat.push_back(tensor.reshape({-1}));
  at::Tensor all = at::cat(flat);
  QUANTRY_RETURN_IF_ERROR(ranks_.AllReduce(all, RankReduction::kSum));
  all.div_(ranks_.size());
  int64_t offset = 0;
  for (at::Tensor& tensor : statistics_) {
    tensor.copy_(all.narrow(0, offset, tensor.numel()).view_as(tensor));
    offset += tensor.numel();
  }
  return absl::OkStatus();
}

}  // namespace quantry::engine
