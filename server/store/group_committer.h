#ifndef QUANTRY_SERVER_STORE_GROUP_COMMITTER_H_
#define QUANTRY_SERVER_STORE_GROUP_COMMITTER_H_

#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "server/store/sql_connection.h"

namespace quantry::server {

// Runs write operations on one connection, those that wait at the same time in one transaction, so
// that they share one fsync. An operation that fails before it has written anything leaves the
// others alone; after one that fails later, or a transaction that can't be committed because of
// another server's, each of them runs again in a transaction of its own. The thread at the head of
// the queue works for those behind it. Thread-safe.
class GroupCommitter {
 public:
  // May run several times; the last one counts.
  using Operation = absl::FunctionRef<absl::Status(SqlConnection&)>;

  explicit GroupCommitter(SqlConnection& connection) : connection_(connection) {}

  // Returns when `operation` is committed, or with its error or the commit's; then nothing of it
  // is stored. May run on another caller's thread.
  absl::Status Run(Operation operation) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    Operation operation;
    absl::Status status;
    bool done = false;
  };

  void RunBatch(absl::Span<Waiter* const> batch);
  // True: all are committed or failed by themselves. False: nothing is stored, and their statuses
  // mean nothing but for a batch of one.
  bool RunTogether(absl::Span<Waiter* const> batch);
  void RunAlone(Waiter& waiter);
  void RollBack();

  SqlConnection& connection_;  // used by the thread at the head only
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::deque<Waiter*> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quantry::server

#endif  // QUANTRY_SERVER_STORE_GROUP_COMMITTER_H_
