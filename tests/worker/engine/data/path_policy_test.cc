#include "worker/engine/data/path_policy.h"

#include <gtest/gtest.h>

#include "tests/worker/engine/data/test_pictures.h"

namespace quantry::engine {
namespace {

namespace fs = std::filesystem;

TEST(PathPolicyTest, AllowsWhatLiesBelowTheRoots) {
  const ScratchFolder scratch;
  scratch.Write("root/a/x", "x");
  scratch.Write("root2/y", "y");
  const PathPolicy policy({(scratch.path() / "root/").string()});
  EXPECT_TRUE(policy.Resolve(scratch.path() / "root").ok());
  EXPECT_EQ(policy.Resolve(scratch.path() / "root/a/../a/x").value(), scratch.path() / "root/a/x");
  EXPECT_TRUE(absl::IsNotFound(policy.Resolve(scratch.path() / "root/none").status()));

  EXPECT_TRUE(absl::IsPermissionDenied(policy.Resolve(scratch.path() / "root2/y").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(policy.Resolve(scratch.path() / "root/../root2").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(policy.Resolve("/nowhere/at/all").status()))
      << "what lies outside is refused whether or not it exists";
}

TEST(PathPolicyTest, FollowsLinks) {
  const ScratchFolder scratch;
  scratch.Write("root/a/x", "x");
  scratch.Write("out/y", "y");
  fs::create_directory_symlink(scratch.path() / "out", scratch.path() / "root/link_out");
  fs::create_directory_symlink(scratch.path() / "root/a", scratch.path() / "link_in");
  const PathPolicy policy({(scratch.path() / "root").string()});
  EXPECT_TRUE(
      absl::IsPermissionDenied(policy.Resolve(scratch.path() / "root/link_out/y").status()));
  EXPECT_TRUE(policy.Resolve(scratch.path() / "link_in/x").ok());
}

TEST(PathPolicyTest, RootsElsewhereAllowNoFile) {
  const ScratchFolder scratch;
  scratch.Write("x", "x");
  EXPECT_TRUE(
      absl::IsPermissionDenied(PathPolicy({"https://host/"}).Resolve(scratch.path()).status()));
  EXPECT_TRUE(
      PathPolicy({"https://host/", scratch.path().string()}).Resolve(scratch.path() / "x").ok());
}

TEST(PathPolicyTest, WithoutRootsAllowsEverything) {
  EXPECT_TRUE(PathPolicy({}).Resolve("/").ok());
}

}  // namespace
}  // namespace quantry::engine
