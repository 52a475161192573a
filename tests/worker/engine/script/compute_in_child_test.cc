#include "worker/engine/script/compute_in_child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>

namespace quantry::engine {
namespace {

using ::testing::HasSubstr;

std::function<std::string()> Raise(int signal) {
  return [signal] {
    std::raise(signal);
    return std::string();
  };
}

TEST(ComputeInChild, GivesWhatItReturns) {
  int calls = 0;
  const std::string large(size_t{3} << 20, 'x');
  const auto result = ComputeInChild(
      [&] {
        ++calls;
        return large;
      },
      {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, large);
  EXPECT_EQ(calls, 0);  // it was another process's
  EXPECT_EQ(ComputeInChild([] { return std::string(); }, {}).value(), "");
}

TEST(ComputeInChild, WhatItThrowsIsAnError) {
  const auto thrown = [](auto error) {
    return ComputeInChild([error]() -> std::string { throw error; }, {}).status();
  };
  EXPECT_EQ(thrown(std::runtime_error("no such file")), absl::InvalidArgumentError("no such file"));
  EXPECT_EQ(thrown(7).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ComputeInChild, CrashesAreErrors) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE}) {
    const absl::Status status = ComputeInChild(Raise(signal), {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("LibTorch crashes on it"));
  }
  EXPECT_EQ(ComputeInChild([]() -> std::string { std::_Exit(7); }, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ComputeInChild, EndlessOnesAreStopped) {
  const auto endless = []() -> std::string {
    volatile bool go_on = true;
    while (go_on) {
    }
    return "";
  };
  const absl::Status status = ComputeInChild(endless, {.cpu_seconds = 1}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not end within 1 s"));
}

TEST(ComputeInChild, ALackOfMemoryIsAnError) {
  const absl::Status status =
      ComputeInChild([]() -> std::string { throw std::bad_alloc(); }, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("memory"));
}

}  // namespace
}  // namespace quantry::engine
