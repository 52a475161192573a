#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_RANK_WATCH_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_RANK_WATCH_H_

#include <torch/csrc/distributed/c10d/Store.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/engine/distributed/rendezvous.h"

namespace quantry::engine {

// Knows which ranks live. A thread gives a sign of life in the store four times a second; rank 0's
// looks at those of the others and writes down who is lost, for all to read. Thread-safe.
class RankWatch {
 public:
  // `store` is a connection of the watch's own to rank 0's store, with the prefix of this run.
  RankWatch(c10::intrusive_ptr<c10d::Store> store, const RankOptions& options);
  // The thread is left behind if it waits for a store that does not answer.
  ~RankWatch();
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;

  // OK, or UNAVAILABLE that says which rank is lost and how.
  absl::Status Health() const ABSL_LOCKS_EXCLUDED(state_->mutex);

  // A call to the other ranks failed with `error`: waits a few seconds for the name of the one that
  // is lost, which is the answer.
  absl::Status Explain(absl::string_view error);

  // Tells the others that this rank goes, `how` well, before it closes its connections. After an
  // error of its own rank 0 stays for as long as the others need to read of it.
  void Leave(const absl::Status& how);

 private:
  // Shared with the thread, which may outlive the watch.
  struct State {
    State(c10::intrusive_ptr<c10d::Store> s, const RankOptions& o)
        : store(std::move(s)), options(o) {}

    void Run();
    void Beat(int64_t number);
    void LookAtOthers();
    void ReadVerdict();
    void SetFailure(const std::string& text);

    const c10::intrusive_ptr<c10d::Store> store;
    const RankOptions options;
    std::atomic<bool> stopping = false;
    std::atomic<bool> finished = false;
    std::atomic<bool> broken = false;  // a call to the other ranks failed
    mutable absl::Mutex mutex;
    absl::Status failure ABSL_GUARDED_BY(mutex);
    absl::Duration last_answer ABSL_GUARDED_BY(mutex);  // of the store; monotonic

    // Of the thread alone.
    struct Other {
      std::string sign;
      absl::Duration since;  // monotonic
      bool left = false;
    };
    std::vector<Other> others;  // rank 0: by rank
    bool told = false;          // that a call failed
  };

  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_RANK_WATCH_H_
