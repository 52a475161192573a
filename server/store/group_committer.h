#ifndef QUANTRY_SERVER_STORE_GROUP_COMMITTER_H_
#define QUANTRY_SERVER_STORE_GROUP_COMMITTER_H_

#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/store/sqlite_connection.h"

namespace quantry::server {

// Runs write operations on one connection, those that wait at the same time in one transaction, so
// that they share one fsync. Each has its own savepoint: one that fails undoes itself alone. The
// thread at the head of the queue works for those behind it. Thread-safe.
class GroupCommitter {
 public:
  using Operation = absl::FunctionRef<absl::Status(SqliteConnection&)>;

  explicit GroupCommitter(SqliteConnection& connection) : connection_(connection) {}

  // Returns when `operation` is committed, or with its error or the commit's; then nothing of it
  // is stored. May run on another caller's thread.
  absl::Status Run(Operation operation) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    Operation operation;
    absl::Status status;
    bool done = false;
  };

  void RunBatch(const std::vector<Waiter*>& batch);
  absl::Status RunInSavepoint(Operation operation);

  SqliteConnection& connection_;  // used by the thread at the head only
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::deque<Waiter*> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_GROUP_COMMITTER_H_
