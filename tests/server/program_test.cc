#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <vector>

#include "common/files.h"
#include "server/data_folder.h"
#include "server/server_command.h"
#include "tests/server/temp_folder.h"

// The command line and the data folder of quantry-server.
namespace quantry::server {
namespace {

std::optional<ServerCommand> Parse(std::vector<const char*> flags, int& exit_code) {
  flags.insert(flags.begin(), "quantry-server");
  return ParseServerCommand(static_cast<int>(flags.size()), flags.data(), exit_code);
}

TEST(ServerCommand, TakesEveryFlag) {
  int exit_code = -1;
  const auto command =
      Parse({"--listen", "0.0.0.0:1", "--metrics", "[::]:0", "--data-dir", "/d", "--lease-duration",
             "2.5", "--max-upload-bytes", "7", "--log-format", "json", "--log-level", "debug"},
            exit_code);
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->server.listen, "0.0.0.0:1");
  EXPECT_EQ(command->server.metrics, "[::]:0");
  EXPECT_EQ(command->data_dir, "/d");
  EXPECT_EQ(command->server.lease_duration, absl::Seconds(2.5));
  EXPECT_EQ(command->server.max_upload_bytes, 7);
  EXPECT_EQ(command->log.format, "json");
  EXPECT_EQ(command->log.level, "debug");
}

TEST(ServerCommand, TakesVariablesWhereThereIsNoFlag) {
  setenv("QUANTRY_DATA_DIR", "/from/variable", 1);
  setenv("QUANTRY_LEASE_DURATION", "9", 1);
  int exit_code = -1;
  const auto command = Parse({"--lease-duration", "5"}, exit_code);
  unsetenv("QUANTRY_DATA_DIR");
  unsetenv("QUANTRY_LEASE_DURATION");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->data_dir, "/from/variable");
  EXPECT_EQ(command->server.lease_duration, absl::Seconds(5));
}

TEST(ServerCommand, WrongFlagsEndWithTwo) {
  const std::vector<std::vector<const char*>> cases = {
      {},
      {"--data-dir", "/d", "--bogus"},
      {"--data-dir", "/d", "--listen", "nowhere"},
      {"--data-dir", "/d", "--listen", "host:"},
      {"--data-dir", "/d", "--metrics", "host:65536"},
      {"--data-dir", "/d", "--lease-duration", "0"},
      {"--data-dir", "/d", "--max-upload-bytes", "0"},
      {"--data-dir", "/d", "--log-format", "xml"},
      {"--data-dir", "/d", "--log-level", "loud"}};
  for (const auto& flags : cases) {
    int exit_code = -1;
    EXPECT_FALSE(Parse(flags, exit_code).has_value());
    EXPECT_EQ(exit_code, 2);
  }
  int exit_code = -1;
  EXPECT_FALSE(Parse({"--version"}, exit_code).has_value());
  EXPECT_EQ(exit_code, 0);
}

TEST(DataFolder, IsForOneServerAtATime) {
  const TempFolder temp;
  auto folder = DataFolder::Open(temp.path() / "data");
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(DataFolder::Open(temp.path() / "data").status().code(),
            absl::StatusCode::kFailedPrecondition);
  folder->reset();
  EXPECT_TRUE(DataFolder::Open(temp.path() / "data").ok());
}

TEST(DataFolder, TellsTheAddresses) {
  const TempFolder temp;
  const auto folder = DataFolder::Open(temp.path());
  ASSERT_TRUE(folder.ok()) << folder.status();
  ASSERT_TRUE((*folder)->PublishAddresses("a:1", "b:2").ok());
  EXPECT_EQ(ReadFile(temp.path() / "server.addr").value(), "listen=a:1\nmetrics=b:2\n");
  ASSERT_TRUE((*folder)->RemoveAddresses().ok());
  EXPECT_FALSE(std::filesystem::exists(temp.path() / "server.addr"));
}

}  // namespace
}  // namespace quantry::server
