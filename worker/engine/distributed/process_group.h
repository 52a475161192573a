#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_PROCESS_GROUP_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_PROCESS_GROUP_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/engine/distributed/collective.h"
#include "worker/engine/distributed/rendezvous.h"

namespace quantry::engine {

// Ranks joined by LibTorch's c10d: they meet in a TCPStore of rank 0's and reduce tensors in CPU
// memory over Gloo, those on the device of RankOptions over its backend (backend.h).
class ProcessGroup : public Collective {
 public:
  // Meets the other ranks; blocks until all are there. INVALID_ARGUMENT: an option is wrong or does
  // not fit those of rank 0. UNAVAILABLE: the port is taken, or ranks did not come in time, which
  // the message names. UNIMPLEMENTED: this build
  // lacks the backend for options.device.
  static absl::StatusOr<std::unique_ptr<ProcessGroup>> Join(const RankOptions& options);

  // Goes; call it last, once. With an error, the other ranks end with one that quotes it. Without
  // one, a rank may go while others still work, as long as they need it no more; rank 0 waits for
  // the others to go.
  virtual void Leave(const absl::Status& how) = 0;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_PROCESS_GROUP_H_
