#ifndef QUANTRY_WORKER_ENGINE_DISTRIBUTED_RENDEZVOUS_H_
#define QUANTRY_WORKER_ENGINE_DISTRIBUTED_RENDEZVOUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace quantry::engine {

// How a process finds the others that it trains with.
struct RankOptions {
  int rank = 0;      // [0, size); rank 0 leads and holds the meeting place
  int size = 1;      // ranks in all, [1, 1024]
  std::string host;  // where rank 0 can be reached; a name or an address
  int port = 0;      // on which rank 0 listens, [1, 65535]
  // Where tensors are that the ranks reduce, beside those in CPU memory: "cpu" or "cuda". With
  // "cuda" each rank must have made a GPU of its own the current one.
  std::string device = "cpu";
  // Only ranks with the same token meet: a late process of an earlier attempt finds nobody.
  std::string token;
  // Longest wait for the others to come, > 0.
  absl::Duration join_timeout = absl::Minutes(2);
  // A rank that gives no sign of life for so long counts as lost, >= 2 s. (One whose connections
  // break is noticed at once.)
  absl::Duration silence = absl::Seconds(15);

  // INVALID_ARGUMENT that names the field, its value and what is allowed.
  absl::Status Validate() const;
};

}  // namespace quantry::engine

#endif  // QUANTRY_WORKER_ENGINE_DISTRIBUTED_RENDEZVOUS_H_
