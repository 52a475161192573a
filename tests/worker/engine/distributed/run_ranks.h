#ifndef QUANTRY_TESTS_WORKER_ENGINE_DISTRIBUTED_RUN_RANKS_H_
#define QUANTRY_TESTS_WORKER_ENGINE_DISTRIBUTED_RUN_RANKS_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/free_port.h"
#include "worker/engine/distributed/process_group.h"

namespace quantry::engine {

inline RankOptions LocalRank(int rank, int size, int port) {
  return {.rank = rank,
          .size = size,
          .host = "127.0.0.1",
          .port = port,
          .token = "test",
          .join_timeout = absl::Seconds(60)};
}

// Runs `body` on `size` ranks, each in a thread of its own, joined over Gloo. `body` returns how
// the rank leaves.
inline void RunRanks(int size, const std::function<absl::Status(Collective&)>& body) {
  const auto port = FreeTcpPort();
  ASSERT_TRUE(port.ok()) << port.status();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      auto group = ProcessGroup::Join(LocalRank(rank, size, *port));
      ASSERT_TRUE(group.ok()) << group.status();
      (*group)->Leave(body(**group));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace quantry::engine

#endif  // QUANTRY_TESTS_WORKER_ENGINE_DISTRIBUTED_RUN_RANKS_H_
