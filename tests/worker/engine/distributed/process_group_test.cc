#include "worker/engine/distributed/process_group.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "tests/worker/engine/distributed/run_ranks.h"
#include "worker/engine/distributed/observed_values.h"

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

// What every Collective does, whatever it runs on: the contract of collective.h.
void ExpectContract(Collective& ranks) {
  const int size = ranks.size();
  const int rank = ranks.rank();
  ASSERT_GE(rank, 0);
  ASSERT_LT(rank, size);
  EXPECT_EQ(ranks.leads(), rank == 0);
  EXPECT_TRUE(ranks.Health().ok());
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kLong}) {
    const at::Tensor sum = at::full({3}, rank + 1, type);
    EXPECT_TRUE(ranks.AllReduce(sum, RankReduction::kSum).ok());
    EXPECT_TRUE(sum.eq(size * (size + 1) / 2).all().item<bool>()) << sum;
    const at::Tensor largest = at::full({3}, -rank, type);
    EXPECT_TRUE(ranks.AllReduce(largest, RankReduction::kMax).ok());
    EXPECT_TRUE(largest.eq(0).all().item<bool>()) << largest;
    const at::Tensor common = at::full({2, 2}, 7 + rank, type);
    EXPECT_TRUE(ranks.Broadcast(common).ok());
    EXPECT_TRUE(common.eq(7).all().item<bool>()) << common;
  }
  const at::Tensor first = at::full({100'000}, 1.0f);
  const at::Tensor second = at::full({5}, 2.0f);
  auto pending_first = ranks.StartSum(first);
  auto pending_second = ranks.StartSum(second);
  ASSERT_TRUE(pending_first.ok() && pending_second.ok());
  EXPECT_TRUE((*pending_second)->Wait().ok());
  EXPECT_TRUE((*pending_first)->Wait().ok());
  EXPECT_EQ(first.sum().item<double>(), 100'000.0 * size);
  EXPECT_EQ(second[4].item<float>(), 2.0f * static_cast<float>(size));

  EXPECT_EQ(*BroadcastText(ranks, rank == 0 ? "from the first" : "other"), "from the first");
  EXPECT_EQ(*BroadcastText(ranks, ""), "");
  const std::string last = rank == size - 1 ? "the last" : "";
  EXPECT_EQ(*FirstText(ranks, last), "the last");
  EXPECT_EQ(*FirstText(ranks, ""), "");
  EXPECT_TRUE(*AnyRank(ranks, rank == size - 1));
  EXPECT_FALSE(*AnyRank(ranks, false));
}

TEST(Collective, ContractOfOneProcess) {
  SingleProcess alone;
  ExpectContract(alone);
}

TEST(Collective, ContractOverGloo) {
  for (const int size : {2, 3}) {
    RunRanks(size, [](Collective& ranks) {
      ExpectContract(ranks);
      return absl::OkStatus();
    });
  }
}

TEST(ObservedValues, AreThoseOfAllRanks) {
  RunRanks(3, [](Collective& ranks) {
    const int rank = ranks.rank();
    // [-1, 0.5], [3], []
    const std::array<at::Tensor, 3> parts = {at::tensor({-1.0f, 0.5f}), at::tensor({3.0f}),
                                             at::empty({0})};
    const at::Tensor own = parts[static_cast<size_t>(rank)];
    EXPECT_TRUE(RangeOfAllRanks(own, ranks).equal(at::tensor({-1.0f, 3.0f})));
    EXPECT_TRUE(ValuesOfAllRanks(own, ranks).equal(at::tensor({-1.0f, 0.5f, 3.0f})));
    // A range has 0 in it: observers of magnitudes see max|x|.
    EXPECT_TRUE(RangeOfAllRanks(at::tensor({2.0f}), ranks).equal(at::tensor({0.0f, 2.0f})));

    const at::Tensor whole = at::arange(3 * 2 * 2 * 2, at::kFloat)
                                 .view({3, 2, 2, 2})
                                 .contiguous(at::MemoryFormat::ChannelsLast);
    const auto rows = RowsOfAllRanks(whole.narrow(0, rank, 1), rank, 3, ranks);
    EXPECT_TRUE(rows.ok() && rows->equal(whole)) << rows.status();
    EXPECT_TRUE(rows->is_contiguous(at::MemoryFormat::ChannelsLast));
    return absl::OkStatus();
  });
}

TEST(ProcessGroup, ABuildWithoutADevicesBackendSaysSo) {
  if (at::hasCUDA()) GTEST_SKIP() << "this LibTorch has CUDA";
  RankOptions options = LocalRank(0, 2, 1234);
  options.device = "cuda";
  const absl::Status status = ProcessGroup::Join(options).status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
  EXPECT_EQ(status.message(),
            "this build can't join processes on device 'cuda': it was made without nccl, which "
            "takes a LibTorch with CUDA and NCCL, and NCCL's header nccl.h");
}

// Only what is in the memory that the ranks joined for can be reduced.
TEST(ProcessGroup, RefusesATensorElsewhere) {
  RunRanks(2, [](Collective& ranks) {
    const at::Tensor elsewhere = at::empty({2}, at::device(at::kMeta));
    for (const absl::Status& status :
         {ranks.AllReduce(elsewhere, RankReduction::kSum), ranks.StartSum(elsewhere).status(),
          ranks.Broadcast(elsewhere)}) {
      EXPECT_TRUE(absl::IsInternal(status)) << status;
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("joined with device 'cpu' and can't reduce a tensor on meta"));
    }
    // Nothing was begun, so that all goes on.
    EXPECT_FALSE(*AnyRank(ranks, false));
    return absl::OkStatus();
  });
}

TEST(ProcessGroup, NamesTheRankThatEndsWithAnError) {
  for (const int failing : {0, 1, 2}) {
    std::array<absl::Status, 3> found;
    RunRanks(3, [&](Collective& ranks) -> absl::Status {
      const at::Tensor tensor = at::zeros({8});
      EXPECT_TRUE(ranks.AllReduce(tensor, RankReduction::kSum).ok());
      if (ranks.rank() == failing) return absl::DataLossError("the disk is on fire");
      absl::Status& status = found[static_cast<size_t>(ranks.rank())];
      status = ranks.AllReduce(tensor, RankReduction::kSum);
      // It stays like that.
      EXPECT_EQ(ranks.AllReduce(tensor, RankReduction::kSum), status);
      EXPECT_EQ(ranks.Health(), status);
      EXPECT_FALSE(ranks.StartSum(tensor).ok());
      return status;
    });
    for (int rank = 0; rank < 3; ++rank) {
      if (rank == failing) continue;
      const absl::Status& status = found[static_cast<size_t>(rank)];
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr(absl::StrCat("rank ", failing, " of 3")));
      EXPECT_THAT(std::string(status.message()), HasSubstr("the disk is on fire"));
    }
  }
}

TEST(ProcessGroup, ARankMayLeaveBeforeTheOthersAreDone) {
  std::atomic<bool> gone = false;
  RunRanks(2, [&](Collective& ranks) {
    if (ranks.rank() == 1) {
      gone = true;
      return absl::OkStatus();
    }
    while (!gone) absl::SleepFor(absl::Milliseconds(10));
    for (int i = 0; i < 100; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
      EXPECT_TRUE(ranks.Health().ok()) << ranks.Health();
    }
    return absl::OkStatus();
  });
}

TEST(ProcessGroup, SaysWhoDidNotCome) {
  const auto port = FreeTcpPort();
  ASSERT_TRUE(port.ok());
  RankOptions options = LocalRank(0, 3, *port);
  options.join_timeout = absl::Seconds(1);
  const auto alone = ProcessGroup::Join(options);
  EXPECT_TRUE(absl::IsUnavailable(alone.status())) << alone.status();
  EXPECT_THAT(std::string(alone.status().message()), HasSubstr("within 1s: 1, 2"));
}

TEST(ProcessGroup, RanksOfAnotherAttemptDoNotJoin) {
  const auto port = FreeTcpPort();
  ASSERT_TRUE(port.ok());
  std::array<absl::Status, 2> found;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      RankOptions options = LocalRank(rank, 2, *port);
      options.token = absl::StrCat("attempt ", rank);
      options.join_timeout = absl::Seconds(2);
      found[static_cast<size_t>(rank)] = ProcessGroup::Join(options).status();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(absl::IsUnavailable(found[0])) << found[0];
  EXPECT_TRUE(absl::IsUnavailable(found[1])) << found[1];
}

TEST(RankOptions, NamesWhatIsWrong) {
  struct Case {
    RankOptions options;
    const char* message;
  };
  const RankOptions right = LocalRank(0, 2, 1234);
  EXPECT_TRUE(right.Validate().ok());
  EXPECT_TRUE(RankOptions{}.Validate().ok());
  std::vector<Case> cases(7, {right, ""});
  cases[0].options.rank = 2;
  cases[0].message = "rank is 2; allowed: 0 to 1";
  cases[1].options.size = 0;
  cases[1].message = "world size is 0";
  cases[2].options.host = "";
  cases[2].message = "no host";
  cases[3].options.port = 65536;
  cases[3].message = "port is 65536";
  cases[4].options.silence = absl::Seconds(1);
  cases[4].message = "silence is 1s";
  cases[5].options.join_timeout = absl::ZeroDuration();
  cases[5].message = "join timeout is 0";
  cases[6].options.device = "tpu";
  cases[6].message = "device is 'tpu'; allowed: 'cpu', 'cuda'";
  for (const Case& wrong : cases) {
    const absl::Status status = wrong.options.Validate();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(wrong.message));
  }
}

}  // namespace
}  // namespace quantry::engine
