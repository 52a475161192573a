// Damaged files must end in an error or in other pictures, never in a crash, a hang or memory that
// a header asked for: small valid files of each format, changed at random places (by a fixed seed)
// and read whole.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "absl/strings/numbers.h"
#include "tests/worker/engine/data/test_files.h"
#include "tests/worker/engine/data/test_pictures.h"
#include "worker/engine/data/counter_rng.h"
#include "worker/engine/data/csv_lines.h"
#include "worker/engine/data/open_dataset.h"

namespace quantry::engine {
namespace {

// How many variants of each file; QUANTRY_FUZZ_ROUNDS asks for a longer run.
int64_t Rounds() {
  int64_t rounds = 300;
  const char* const text = std::getenv("QUANTRY_FUZZ_ROUNDS");
  if (text != nullptr && !absl::SimpleAtoi(text, &rounds))
    ADD_FAILURE() << "not a number: " << text;
  return rounds;
}

// One to four changes: a bit, a byte (often an extreme one), a piece cut out, doubled or moved, the
// end cut off.
std::string Mutate(std::string content, CounterRng* rng) {
  const int64_t changes = 1 + rng->Below(4);
  for (int64_t k = 0; k < changes && !content.empty(); ++k) {
    const auto size = static_cast<int64_t>(content.size());
    // Headers stand in front: half of the changes go there.
    const int64_t place = rng->Below(rng->Chance(0.5) ? std::min<int64_t>(size, 600) : size);
    const int64_t length = 1 + rng->Below(std::min<int64_t>(size - place, 600));
    switch (rng->Below(6)) {
      case 0:
        content[place] ^= static_cast<char>(1 << rng->Below(8));
        break;
      case 1:
        content[place] = static_cast<char>(rng->Chance(0.5) ? 0xff : 0x00);
        break;
      case 2:
        content[place] = static_cast<char>(rng->Below(256));
        break;
      case 3:
        content.erase(place, length);
        break;
      case 4:
        content.insert(place, content.substr(place, length));
        break;
      default:
        content.resize(place);
        break;
    }
  }
  return content;
}

struct Format {
  const char* name;
  const char* uri;  // in front of the folder; after it `suffix`
  const char* suffix;
  const char* file;  // the one that is changed
  std::function<std::string()> valid;
  void (*others)(const ScratchFolder&);  // writes what else the reader needs
};

// Corrects the checksums of tar headers, or else hardly any change would get past them.
std::string Resign(std::string tar) {
  for (size_t at = 0; at + 512 <= tar.size(); at += 512) {
    if (tar.substr(at + 257, 5) != "ustar") continue;
    int64_t sum = 0;
    for (size_t i = 0; i < 512; ++i) {
      sum += i >= 148 && i < 156 ? ' ' : static_cast<uint8_t>(tar[at + i]);
    }
    for (int digit = 5; digit >= 0; --digit, sum /= 8) {
      tar[at + 148 + digit] = static_cast<char>('0' + sum % 8);
    }
    tar[at + 154] = '\0';
  }
  return tar;
}

const Format kFormats[] = {
    {"cifar10", "cifar10://", "", "data_batch_1.bin",
     [] { return CifarRecord({1}, 3) + CifarRecord({2}, 4); }, [](const ScratchFolder&) {}},
    {"cifar100", "cifar100://", "", "train.bin",
     [] {
       return CifarRecord({1, 2}, 3);
     },
     [](const ScratchFolder&) {}},
    {"mnist", "mnist://", "", "train-images-idx3-ubyte",
     [] {
       return IdxFile({2, 4, 4}, std::string(32, 'x'));
     },
     [](const ScratchFolder& folder) {
       folder.Write("train-labels-idx1-ubyte", IdxFile({2}, std::string("\0\1", 2)));
     }},
    {"mnist_gz", "mnist://", "", "train-images-idx3-ubyte.gz",
     [] {
       return Gzip(IdxFile({2, 4, 4}, std::string(32, 'x')));
     },
     [](const ScratchFolder& folder) {
       folder.Write("train-labels-idx1-ubyte", IdxFile({2}, std::string("\0\1", 2)));
     }},
    {"csv", "csv://", "/list.csv?split=all", "list.csv",
     [] { return "0.png,a\n\"1.png\",\"b \"\"c\"\"\"\n"; },
     [](const ScratchFolder& folder) {
       folder.Write("0.png", TestPng(4, 4, 0));
       folder.Write("1.png", TestPng(4, 4, 1));
     }},
    {"wds", "wds://", "?split=all", "a.tar",
     [] {
       return TarMemberBytes("p", PaxRecord("path", "a.png"), 'x') +
              TarMemberBytes("x", TestPng(4, 4, 0)) + TarMemberBytes("a.cls", "0") +
              TarMemberBytes("b.cls", "1") + TarMemberBytes("b.png", TestPng(4, 4, 1));
     },
     [](const ScratchFolder&) {}},
    {"npy", "arrays://", "/x.npy?split=all", "x.npy",
     [] {
       return NpyFile("<f4", "(2, 3)", BytesOf<float>({1, 2, 3, 4, 5, 6}));
     },
     [](const ScratchFolder&) {}},
    {"npz", "arrays://", "/x.npz?split=all&target=y", "x.npz",
     [] {
       return ZipFile({{"x.npy", NpyFile("<f4", "(2, 3)", BytesOf<float>({1, 2, 3, 4, 5, 6}))},
                       {"y.npy", NpyFile("<i8", "(2,)", BytesOf<int64_t>({0, 1}))}});
     },
     [](const ScratchFolder&) {}},
    {"npz_deflated", "arrays://", "/x.npz?split=all&target=y", "x.npz",
     [] {
       return ZipFile({{"x.npy", NpyFile("|b1", "(2, 3)", std::string("\1\0\1\0\0\1", 6))},
                       {"y.npy", NpyFile("|u1", "(2, 2)", std::string("\1\0\1\1", 4))}},
                      true);
     },
     [](const ScratchFolder&) {}},
    {"safetensors", "arrays://", "/x.safetensors?split=all", "x.safetensors",
     [] { return SafetensorsFile("x", "F16", "[2,3]", std::string(12, '\x11')); },
     [](const ScratchFolder&) {}},
    {"csv_values", "csv://", "/list.csv?split=all&task=values", "list.csv",
     [] { return "0.png,1.5,2\n1.png,-3,4e1\n"; },
     [](const ScratchFolder& folder) {
       folder.Write("0.png", TestPng(4, 4, 0));
       folder.Write("1.png", TestPng(4, 4, 1));
     }},
    {"file", "file://", "?split=all", "a/1.png", [] { return TestPng(9, 7, 0); },
     [](const ScratchFolder& folder) { folder.Write("b/1.png", TestPng(4, 4, 1)); }},
};

// Into buffers that are exactly large enough, for the sanitizers to see.
void ReadAll(const Dataset& dataset, int64_t index) {
  std::vector<std::vector<char>> buffers;
  std::vector<char*> rows;
  for (const ArraySpec& spec : dataset.arrays()) {
    auto bytes = static_cast<int64_t>(c10::elementSize(spec.dtype));
    for (const int64_t length : spec.shape) bytes *= length;
    ASSERT_LE(bytes, int64_t{1} << 20) << "more than the file holds";
    buffers.emplace_back(bytes);
  }
  for (std::vector<char>& buffer : buffers) rows.push_back(buffer.data());
  static_cast<void>(dataset.ReadArrays(index, rows));
}

class ReaderMutationTest : public testing::TestWithParam<Format> {};

TEST_P(ReaderMutationTest, DamagedFilesAreErrorsOrPictures) {
  const Format& format = GetParam();
  const ScratchFolder folder;
  format.others(folder);
  const std::string valid = format.valid();
  const std::string uri = format.uri + folder.path().string() + format.suffix;
  folder.Write(format.file, valid);
  ASSERT_TRUE(OpenDataset(uri, {}).ok()) << OpenDataset(uri, {}).status();
  int64_t refused = 0;
  for (int64_t round = 0; round < Rounds(); ++round) {
    CounterRng rng({17, static_cast<uint64_t>(round)});
    SCOPED_TRACE(round);
    std::string damaged = Mutate(valid, &rng);
    if (absl::string_view(format.name) == "wds" && rng.Chance(0.8)) damaged = Resign(damaged);
    folder.Write(format.file, damaged);
    const auto dataset = OpenDataset(uri, {});
    if (!dataset.ok()) {
      EXPECT_NE(dataset.status().code(), absl::StatusCode::kInternal) << dataset.status();
      EXPECT_FALSE(dataset.status().message().empty());
      ++refused;
      continue;
    }
    const auto classes = static_cast<int64_t>((*dataset)->class_names().size());
    for (int64_t i = 0; i < (*dataset)->size(); ++i) {
      EXPECT_FALSE((*dataset)->Name(i).empty());
      if ((*dataset)->target_kind() == TargetKind::kClass) {
        ASSERT_LT((*dataset)->Label(i), classes);
      }
      if (!(*dataset)->arrays().empty()) {
        ReadAll(**dataset, i);
        continue;
      }
      const auto picture = (*dataset)->Get(i);
      if (!picture.ok()) continue;
      EXPECT_EQ(picture->rgb.size(), size_t{3} * picture->width * picture->height);
      EXPECT_EQ(picture->label, (*dataset)->Label(i));
    }
  }
  EXPECT_TRUE(refused > 0 || absl::string_view(format.name) == "file");
}

INSTANTIATE_TEST_SUITE_P(All, ReaderMutationTest, testing::ValuesIn(kFormats),
                         [](const testing::TestParamInfo<Format>& row) { return row.param.name; });

}  // namespace
}  // namespace quantry::engine
