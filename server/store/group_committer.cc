#include "server/store/group_committer.h"

#include <algorithm>

#include "common/status_macros.h"

namespace quantry::server {
namespace {

constexpr size_t kMaxBatch = 256;

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

void GroupCommitter::RunBatch(const std::vector<Waiter*>& batch) {
  absl::Status status = connection_.Execute("BEGIN IMMEDIATE");
  for (Waiter* waiter : batch) {
    if (!status.ok()) break;
    waiter->status = RunInSavepoint(waiter->operation);
    // A full or failing disk ends the whole transaction: nothing of the batch is stored then.
    if (!connection_.InTransaction()) status = waiter->status;
  }
  if (status.ok()) status = connection_.Execute("COMMIT");
  if (status.ok()) return;
  if (connection_.InTransaction()) connection_.Execute("ROLLBACK").IgnoreError();
  for (Waiter* waiter : batch) {
    if (waiter->status.ok()) waiter->status = status;
  }
}

absl::Status GroupCommitter::RunInSavepoint(Operation operation) {
  QUANTRY_RETURN_IF_ERROR(connection_.Execute("SAVEPOINT operation"));
  const absl::Status status = operation(connection_);
  if (!connection_.InTransaction()) {
    return status.ok() ? absl::InternalError("database: the transaction was lost") : status;
  }
  if (!status.ok()) QUANTRY_RETURN_IF_ERROR(connection_.Execute("ROLLBACK TO operation"));
  QUANTRY_RETURN_IF_ERROR(connection_.Execute("RELEASE operation"));
  return status;
}

}  // namespace quantry::server
