#include "worker/trainer/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "worker/trainer/failure.h"

namespace quantry::trainer {
namespace {

using ::testing::HasSubstr;

Environment With(std::map<std::string, std::string> variables) {
  return [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

const std::map<std::string, std::string> kTorchrun = {{"RANK", "3"},
                                                      {"WORLD_SIZE", "8"},
                                                      {"LOCAL_WORLD_SIZE", "4"},
                                                      {"MASTER_ADDR", "node0"},
                                                      {"MASTER_PORT", "29500"},
                                                      {"TORCHELASTIC_RUN_ID", "run"}};

TEST(FindPlace, AloneWhereNothingIsSaid) {
  const auto place = FindPlace({}, With({}));
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(place->options.size, 1);
  EXPECT_EQ(place->options.rank, 0);
  EXPECT_EQ(place->local_size, 1);
}

TEST(FindPlace, FromTheEnvironment) {
  const auto place = FindPlace({}, With(kTorchrun));
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(place->options.rank, 3);
  EXPECT_EQ(place->options.size, 8);
  EXPECT_EQ(place->local_size, 4);
  EXPECT_EQ(place->options.host, "node0");
  EXPECT_EQ(place->options.port, 29500);
  EXPECT_EQ(place->options.token, "run");
}

TEST(FindPlace, FlagsComeFirst) {
  auto variables = kTorchrun;
  variables["QUANTRY_RENDEZVOUS_TOKEN"] = "secret";
  const auto place =
      FindPlace({.rank = 1, .world_size = 2, .rendezvous = "[::1]:77"}, With(variables));
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(place->options.rank, 1);
  EXPECT_EQ(place->options.size, 2);
  EXPECT_EQ(place->local_size, 2);  // never more than there are
  EXPECT_EQ(place->options.host, "::1");
  EXPECT_EQ(place->options.port, 77);
  EXPECT_EQ(place->options.token, "secret");
}

TEST(FindPlace, NamesWhatIsWrong) {
  struct Case {
    RankFlags flags;
    std::map<std::string, std::string> variables;
    const char* message;
  };
  const Case cases[] = {
      {{.world_size = 2}, {}, "neither --rank nor RANK"},
      {{.rank = 2, .world_size = 2, .rendezvous = "a:1"}, {}, "rank is 2; allowed: 0 to 1"},
      {{.rank = 0, .world_size = 0}, {}, "world size is 0"},
      {{.rank = 0, .world_size = 2}, {}, "rendezvous has no host"},
      {{.rank = 0, .world_size = 2, .rendezvous = "host"}, {}, "it must be HOST:PORT"},
      {{.rank = 0, .world_size = 2, .rendezvous = "host:99999"}, {}, "port is 99999"},
      {{}, {{"WORLD_SIZE", "many"}}, "WORLD_SIZE is 'many'"},
      {{}, {{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "a"}}, "port is 0"},
  };
  for (const Case& wrong : cases) {
    const auto place = FindPlace(wrong.flags, With(wrong.variables));
    EXPECT_TRUE(absl::IsInvalidArgument(place.status())) << place.status();
    EXPECT_THAT(std::string(place.status().message()), HasSubstr(wrong.message));
    EXPECT_EQ(ToFailure(place.status()).reason(), "RANKS_INVALID");
  }
}

TEST(DivideThreads, LeavesWhatWasGivenAlone) {
  RunOptions options;
  options.threads = 8;
  options.data.decode_threads = 4;
  DivideThreads(4, false, false, options);
  EXPECT_EQ(options.threads, 2);
  EXPECT_EQ(options.data.decode_threads, 1);
  DivideThreads(4, true, false, options);
  EXPECT_EQ(options.threads, 2);
  DivideThreads(4, false, true, options);
  EXPECT_EQ(options.threads, 1);  // never none
}

}  // namespace
}  // namespace quantry::trainer
