#include "worker/engine/data/arrays_dataset.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/loader.h"

namespace quantry::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Ten examples: x[i] = (i, i + 0.5), label i mod 3, flags (i even, 1), y = -i.
std::string Archive(bool deflated = false) {
  std::vector<float> x, y;
  std::vector<int64_t> label;
  std::string flags;
  for (int i = 0; i < 10; ++i) {
    x.insert(x.end(), {static_cast<float>(i), static_cast<float>(i) + 0.5f});
    y.push_back(static_cast<float>(-i));
    label.push_back(i % 3);
    flags += {static_cast<char>(i % 2 == 0), 1};
  }
  return ZipFile({{"flags.npy", NpyFile("|b1", "(10, 2)", flags)},
                  {"label.npy", NpyFile("<i8", "(10,)", BytesOf(label))},
                  {"x.npy", NpyFile("<f4", "(10, 2)", BytesOf(x))},
                  {"y.npy", NpyFile("<f4", "(10, 1)", BytesOf(y))}},
                 deflated);
}

class ArraysTest : public testing::TestWithParam<bool> {
 protected:
  absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& query,
                                                Split split = Split::kTrain) {
    return OpenDataset(absl::StrCat("arrays://", folder_.path().string(), "/a.npz?", query),
                       {.split = split});
  }
  ScratchFolder folder_;
};

std::vector<Batch> Batches(std::unique_ptr<Dataset> dataset, LoaderOptions options = {}) {
  auto loader = Loader::Create(std::move(dataset), options);
  EXPECT_TRUE(loader.ok()) << loader.status();
  EXPECT_TRUE((*loader)->StartEpoch(0).ok());
  std::vector<Batch> batches;
  while (true) {
    auto batch = (*loader)->Next();
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (!batch.ok() || !*batch) return batches;
    batches.push_back(**batch);
  }
}

TEST_P(ArraysTest, ClassesComeAsStored) {
  folder_.Write("a.npz", Archive(GetParam()));
  auto dataset = Open("inputs=x&target=label&split=all");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->target_kind(), TargetKind::kClass);
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("0", "1", "2"));
  const std::vector<Batch> batches = Batches(*std::move(dataset), {.batch_size = 4});
  ASSERT_EQ(batches.size(), 3u);
  const at::Tensor expected = at::tensor({4.0f, 4.5f, 5.0f, 5.5f, 6.0f, 6.5f, 7.0f, 7.5f});
  EXPECT_TRUE(at::equal(batches[1].inputs[0].flatten(), expected));
  EXPECT_TRUE(at::equal(batches[1].targets, at::tensor({1, 2, 0, 1}, at::kLong)));
}

TEST_P(ArraysTest, SeveralInputsInTheOrderAndTypeAskedFor) {
  folder_.Write("a.npz", Archive(GetParam()));
  auto dataset = Open("inputs=x,flags,label&split=all");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->target_kind(), TargetKind::kNone);
  const std::vector<Batch> batches =
      Batches(*std::move(dataset),
              {.batch_size = 10, .arrays = {{2, at::kLong}, {0, at::kHalf}, {1, at::kFloat}}});
  ASSERT_EQ(batches.size(), 1u);
  ASSERT_EQ(batches[0].inputs.size(), 3u);
  EXPECT_FALSE(batches[0].targets.defined());
  EXPECT_EQ(batches[0].inputs[0].sizes(), at::IntArrayRef({10}));
  EXPECT_EQ(batches[0].inputs[1].scalar_type(), at::kHalf);
  EXPECT_TRUE(at::equal(batches[0].inputs[2][3], at::tensor({0.0f, 1.0f})));
}

INSTANTIATE_TEST_SUITE_P(StoredAndDeflated, ArraysTest, testing::Bool());

TEST_F(ArraysTest, LabelsAndValuesAreDense) {
  folder_.Write("a.npz", Archive());
  auto labels = Open("inputs=x&target=flags&split=all");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ((*labels)->target_kind(), TargetKind::kMultiLabel);
  EXPECT_THAT((*labels)->class_names(), ElementsAre("flags[0]", "flags[1]"));
  EXPECT_THAT((*labels)->Targets(3), ElementsAre(0.0f, 1.0f));
  auto values = Open("inputs=x&target=y&split=all");
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ((*values)->target_kind(), TargetKind::kValues);
  const std::vector<Batch> batches = Batches(*std::move(values), {.batch_size = 10});
  EXPECT_EQ(batches[0].targets.sizes(), at::IntArrayRef({10, 1}));
  EXPECT_EQ(batches[0].targets[4].item<float>(), -4.0f);
}

TEST_F(ArraysTest, SplitsDivideEveryExampleOnce) {
  folder_.Write("a.npz", Archive());
  const auto names = [&](const std::string& query, Split split) {
    std::vector<std::string> found;
    const auto dataset = Open(query, split);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    for (int64_t i = 0; i < (*dataset)->size(); ++i) found.push_back((*dataset)->Name(i));
    return found;
  };
  std::vector<std::string> all = names("inputs=x&holdout=0.3", Split::kTrain);
  const std::vector<std::string> val = names("inputs=x&holdout=0.3", Split::kVal);
  EXPECT_EQ(val.size(), 3u);
  all.insert(all.end(), val.begin(), val.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()) - all.begin(), 10);
  bool another = false;
  for (int seed = 1; seed < 5; ++seed) {
    const auto other = names(absl::StrCat("inputs=x&holdout=0.3&split_seed=", seed), Split::kVal);
    EXPECT_EQ(other.size(), 3u);
    another = another || other != val;
  }
  EXPECT_TRUE(another);
  EXPECT_EQ(names("inputs=x&split=all&fraction=0.5", Split::kTrain).size(), 5u);
}

TEST_F(ArraysTest, ClassesChooseAndOrder) {
  folder_.Write("a.npz", Archive());
  const auto dataset = Open("inputs=x&target=label&split=all&classes=2,0");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->size(), 7);
  EXPECT_THAT((*dataset)->class_names(), ElementsAre("2", "0"));
  EXPECT_EQ((*dataset)->Name(0), "a.npz 0");
  EXPECT_EQ((*dataset)->Label(0), 1);
  EXPECT_EQ((*dataset)->Label(1), 0);
  EXPECT_THAT(MessageOf(Open("inputs=x&target=label&classes=2,7")), HasSubstr("names '7'"));
  EXPECT_THAT(MessageOf(Open("inputs=x&target=y&classes=2,0")), HasSubstr("no effect"));
}

TEST_F(ArraysTest, NotFiniteExamplesAreCorruptAndCounted) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  folder_.Write("x.npy", NpyFile("<f4", "(4, 1)", BytesOf<float>({1, nan, 3, 4})));
  auto dataset = OpenDataset("arrays://" + folder_.path().string() + "/x.npy?split=all", {});
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  auto loader = Loader::Create(*std::move(dataset), {.max_corrupt_fraction = 0.25});
  ASSERT_TRUE((*loader)->StartEpoch(0).ok());
  const auto batch = (*loader)->Next();
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ((*batch)->skipped, 1);
  EXPECT_TRUE(at::equal((*batch)->inputs[0].flatten(), at::tensor({1.0f, 3.0f, 4.0f})));
  EXPECT_EQ((*loader)->num_corrupt(), 1);
  EXPECT_THAT((*loader)->CorruptPictures(), ElementsAre(HasSubstr("x.npy 1: array 'x'")));
  const LoaderStats stats = (*loader)->Stats();
  EXPECT_EQ(stats.examples, 4);
  EXPECT_GT(stats.capacity(), 0.0);

  dataset = OpenDataset("arrays://" + folder_.path().string() + "/x.npy?split=all", {});
  auto strict = Loader::Create(*std::move(dataset), {.max_corrupt_fraction = 0.2});
  ASSERT_TRUE((*strict)->StartEpoch(0).ok());
  const absl::Status refused = (*strict)->Next().status();
  EXPECT_TRUE(IsTooCorrupt(refused)) << refused;
}

TEST_F(ArraysTest, FoldersAndSafetensorsAreReadToo) {
  folder_.Write("d/b.npy", NpyFile("<i4", "(2,)", BytesOf<int32_t>({5, 6})));
  folder_.Write("d/a.npy", NpyFile("|u1", "(2, 2)", "abcd"));
  const auto folder = OpenDataset("arrays://" + folder_.path().string() + "/d?split=all", {});
  ASSERT_TRUE(folder.ok()) << folder.status();
  ASSERT_EQ((*folder)->arrays().size(), 2u);
  EXPECT_EQ((*folder)->arrays()[0].name, "a");
  EXPECT_EQ((*folder)->arrays()[1].dtype, at::kInt);
  folder_.Write("s.safetensors", SafetensorsFile("ids", "I64", "[2,1]", BytesOf<int64_t>({7, 8})));
  const auto tensors =
      OpenDataset("arrays://" + folder_.path().string() + "/s.safetensors?split=all", {});
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  int64_t value = 0;
  char* const row = reinterpret_cast<char*>(&value);
  ASSERT_TRUE((*tensors)->ReadArrays(1, {row}).ok());
  EXPECT_EQ(value, 8);
}

struct BadQuery {
  const char* query;
  const char* message;
};
class BadArraysTest : public ArraysTest {};

TEST_F(BadArraysTest, IsRefusedWithAHint) {
  folder_.Write("a.npz", Archive());
  for (const BadQuery& bad : {BadQuery{"inputs=z", "names 'z'"},
                              {"inputs=x,x", "twice"},
                              {"inputs=x&target=lable", "did you mean 'label'"},
                              {"inputs=x&target=y&task=classes", "can't hold classes"},
                              {"inputs=x&target=y&task=labels", "allowed: 0 and 1"},
                              {"inputs=x&target=label&num_classes=2", "allowed: 0 to 1"},
                              {"inputs=x&target=y&num_classes=2", "no effect"},
                              {"inputs=x&task=values", "without 'target'"}}) {
    EXPECT_THAT(MessageOf(Open(bad.query)), HasSubstr(bad.message)) << bad.query;
  }
  folder_.Write("a.npz", ZipFile({{"x.npy", NpyFile("<f4", "(2,)", "12345678")},
                                  {"y.npy", NpyFile("<f4", "(1,)", "1234")}}));
  EXPECT_THAT(MessageOf(Open("split=all")), HasSubstr("first axis counts examples"));
  folder_.Write("a.npz", ZipFile({{"x.npy", NpyFile("<f4", "(3,)", "12345678")}}));
  EXPECT_THAT(MessageOf(Open("split=all")), HasSubstr("12 bytes of data, but only 8"));
  folder_.Write("a.npz", Archive().substr(0, 200));
  EXPECT_THAT(MessageOf(Open("split=all")), HasSubstr("no directory at its end"));
}

TEST_F(ArraysTest, PicturesOptionsAreRefused) {
  folder_.Write("a.npz", Archive());
  auto dataset = Open("inputs=x&split=all");
  ASSERT_TRUE(dataset.ok());
  const auto loader = Loader::Create(*std::move(dataset), {.random_flip = true});
  EXPECT_THAT(std::string(loader.status().message()), HasSubstr("not augmented"));
}

TEST_F(ArraysTest, ListsAndFoldersOfPicturesHaveTheOtherTargetsToo) {
  for (const char* name : {"0.png", "sub/1.png"}) folder_.Write(name, TestPng(8, 8, 1));
  folder_.Write("list.csv", "path,cat,dog\n0.png,1,0\nsub/1.png,1,1\n");
  const std::string csv = "csv://" + folder_.path().string() + "/list.csv?split=all&header=1";
  const auto labels = OpenDataset(csv + "&task=labels", {});
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ((*labels)->target_kind(), TargetKind::kMultiLabel);
  EXPECT_THAT((*labels)->class_names(), ElementsAre("cat", "dog"));
  EXPECT_THAT((*labels)->Targets(0), ElementsAre(1.0f, 0.0f));
  const auto one = OpenDataset(csv + "&task=values&target=dog", {});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_THAT((*one)->Targets(1), ElementsAre(1.0f));
  const auto none = OpenDataset(csv + "&task=none", {});
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_EQ((*none)->target_kind(), TargetKind::kNone);
  EXPECT_THAT(MessageOf(OpenDataset(csv + "&task=labels&target=path", {})),
              HasSubstr("allowed: 0 and 1"));
  const auto pictures =
      OpenDataset("file://" + folder_.path().string() + "?task=none&split=all", {});
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_EQ((*pictures)->size(), 2);
  EXPECT_EQ((*pictures)->Name(1), "sub/1.png");
}

}  // namespace
}  // namespace quantry::engine
