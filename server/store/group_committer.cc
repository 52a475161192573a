#include "server/store/group_committer.h"

#include <algorithm>

namespace quantry::server {
namespace {

constexpr size_t kMaxBatch = 256;
constexpr int kMaxAttempts = 5;

}  // namespace

absl::Status GroupCommitter::Run(Operation operation) {
  Waiter self{.operation = operation};
  std::vector<Waiter*> batch;
  {
    absl::MutexLock lock(&mutex_);
    queue_.push_back(&self);
    while (!self.done && queue_.front() != &self) changed_.Wait(&mutex_);
    if (self.done) return self.status;
    batch.assign(queue_.begin(),
                 queue_.begin() + static_cast<std::ptrdiff_t>(std::min(queue_.size(), kMaxBatch)));
  }
  RunBatch(batch);
  absl::MutexLock lock(&mutex_);
  for (Waiter* waiter : batch) waiter->done = true;
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(batch.size()));
  changed_.SignalAll();
  return self.status;
}

void GroupCommitter::RunBatch(absl::Span<Waiter* const> batch) {
  if (batch.size() > 1 && RunTogether(batch)) return;
  for (Waiter* waiter : batch) RunAlone(*waiter);
}

void GroupCommitter::RunAlone(Waiter& waiter) {
  Waiter* const batch[] = {&waiter};
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    if (RunTogether(batch) || !absl::IsAborted(waiter.status)) return;
  }
}

bool GroupCommitter::RunTogether(absl::Span<Waiter* const> batch) {
  using Transaction = SqlConnection::Transaction;
  if (absl::Status status = connection_.Begin(); !status.ok()) {
    for (Waiter* waiter : batch) waiter->status = status;
    return true;  // another try would fare no better
  }
  for (Waiter* waiter : batch) {
    const int64_t writes = connection_.writes();
    waiter->status = waiter->operation(connection_);
    const bool open = connection_.TransactionState() == Transaction::kOpen;
    if (waiter->status.ok() && !open) {
      waiter->status = absl::InternalError("database: the transaction was lost");
    }
    if (!waiter->status.ok() && (!open || connection_.writes() != writes)) {
      RollBack();
      return false;
    }
  }
  const absl::Status status = connection_.Execute("COMMIT");
  if (status.ok()) return true;
  RollBack();
  for (Waiter* waiter : batch) {
    if (waiter->status.ok()) waiter->status = status;
  }
  return !absl::IsAborted(status);
}

void GroupCommitter::RollBack() {
  if (connection_.TransactionState() == SqlConnection::Transaction::kNone) return;
  connection_.Execute("ROLLBACK").IgnoreError();
}

}  // namespace quantry::server
