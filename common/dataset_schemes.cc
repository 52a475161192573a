#include "common/dataset_schemes.h"

#include <limits>

namespace quantry {
namespace {

using Name = absl::string_view;

constexpr int64_t kMaxPictures = 100'000'000;
constexpr int64_t kMaxLimit = std::numeric_limits<int32_t>::max();

constexpr Name kSplits[] = {"auto", "all"};
constexpr Name kLabelLevels[] = {"fine", "coarse"};

constexpr DatasetParameter kHoldout = {"holdout", RealNumber{0.1, 0.001, 0.999}};
constexpr DatasetParameter kSplit = {"split", OneOf{kSplits}};
constexpr DatasetParameter kClassList = {"class_list", FreeText{}};
constexpr DatasetParameter kClassMap = {"class_map", FreeText{}};
constexpr DatasetParameter kLimit = {"limit", WholeNumber{kMaxLimit, 1, kMaxLimit}};

constexpr DatasetParameter kFraction = {"fraction", RealNumber{1.0, 1e-6, 1.0}};
constexpr DatasetParameter kClasses = {"classes", FreeText{}};
constexpr DatasetParameter kSplitSeed = {"split_seed", WholeNumber{0, 0, kMaxLimit}};

constexpr Name kClassesOrNone[] = {"classes", "none"};
constexpr Name kTasks[] = {"classes", "labels", "values", "none"};
constexpr Name kArrayTasks[] = {"auto", "classes", "labels", "values"};

constexpr DatasetParameter kListedPictures[] = {{"task", OneOf{kClassesOrNone}},
                                                kHoldout,
                                                kSplit,
                                                kClassList,
                                                kClassMap,
                                                kClasses,
                                                kFraction,
                                                kSplitSeed,
                                                kLimit};
constexpr DatasetParameter kGlyphs[] = {
    {"classes", WholeNumber{36, 2, 62}},
    {"size", WholeNumber{32, 16, 256}},
    {"train", WholeNumber{20000, 1, kMaxPictures}},
    {"val", WholeNumber{2000, 1, kMaxPictures}},
    {"seed", WholeNumber{1, 0, std::numeric_limits<int64_t>::max()}},
    {"difficulty", RealNumber{1.0, 0.0, 2.0}},
    {"color", WholeNumber{1, 0, 1}},
};
constexpr DatasetParameter kDividedFiles[] = {kClassMap, kClasses, kFraction, kSplitSeed, kLimit};
constexpr DatasetParameter kCifar100[] = {
    {"labels", OneOf{kLabelLevels}}, kClassMap, kClasses, kFraction, kSplitSeed, kLimit};
constexpr DatasetParameter kCsv[] = {{"root", FreeText{}},
                                     {"header", WholeNumber{0, 0, 1}},
                                     {"task", OneOf{kTasks}},
                                     {"target", FreeText{}},
                                     kHoldout,
                                     kSplit,
                                     kClassList,
                                     kClassMap,
                                     kClasses,
                                     kFraction,
                                     kSplitSeed,
                                     kLimit};
constexpr DatasetParameter kArrays[] = {{"inputs", FreeText{}},
                                        {"target", FreeText{}},
                                        {"task", OneOf{kArrayTasks}},
                                        {"num_classes", WholeNumber{2, 2, 1'000'000}},
                                        kHoldout,
                                        kSplit,
                                        kClassList,
                                        kClassMap,
                                        kClasses,
                                        kFraction,
                                        kSplitSeed,
                                        kLimit};

constexpr DatasetScheme kSchemes[] = {
    {"file", "file:///path/to/folder", "", kListedPictures},
    {"synthetic", "synthetic://glyphs?...", "glyphs", kGlyphs},
    {"cifar10", "cifar10:///path/to/folder", "", kDividedFiles},
    {"cifar100", "cifar100:///path/to/folder", "", kCifar100},
    {"mnist", "mnist:///path/to/folder", "", kDividedFiles},
    {"csv", "csv:///path/to/list.csv", "", kCsv},
    {"wds", "wds:///path/to/train-{000..099}.tar", "", kListedPictures},
    {"arrays", "arrays:///path/to/file.npz?...", "", kArrays},
};

constexpr RemoteScheme kRemoteSchemes[] = {
    {"http", "http://host/path/train-{000..099}.tar", false},
    {"https", "https://host/path/train-{000..099}.tar", false},
    {"s3", "s3://bucket/path/train-{000..099}.tar", true},
};

constexpr Name kTarEndings[] = {".tar"};
constexpr Name kArrayEndings[] = {".npz", ".npy", ".safetensors"};
constexpr Name kNpyEndings[] = {".npy"};
constexpr Name kCsvEndings[] = {".csv"};
constexpr Name kIdxEndings[] = {"ubyte", "ubyte.gz"};
constexpr Name kCifarEndings[] = {".bin", ".txt"};

// Of several that a prefix may stand for the first is the default.
constexpr RemoteFormat kRemoteFormats[] = {
    {"wds", kTarEndings, kTarEndings}, {"arrays", kArrayEndings, kNpyEndings},
    {"csv", kCsvEndings, {}},          {"mnist", {}, kIdxEndings},
    {"cifar10", {}, kCifarEndings},    {"cifar100", {}, kCifarEndings},
};
constexpr Name kFormatNames[] = {"auto", "wds", "arrays", "csv", "mnist", "cifar10", "cifar100"};
constexpr DatasetParameter kRemoteParameters[] = {
    {"format", OneOf{kFormatNames}}, {"sha256", HexDigest{}}, {"checksums", FreeText{}}};

}  // namespace

absl::Span<const DatasetScheme> DatasetSchemes() { return kSchemes; }
absl::Span<const RemoteScheme> RemoteSchemes() { return kRemoteSchemes; }
absl::Span<const RemoteFormat> RemoteFormats() { return kRemoteFormats; }
absl::Span<const DatasetParameter> RemoteParameters() { return kRemoteParameters; }

std::vector<absl::string_view> DatasetSchemeNames() {
  std::vector<absl::string_view> names;
  for (const DatasetScheme& scheme : kSchemes) names.push_back(scheme.name);
  for (const RemoteScheme& scheme : kRemoteSchemes) names.push_back(scheme.name);
  return names;
}

const DatasetScheme* FindDatasetScheme(absl::string_view name) {
  for (const DatasetScheme& scheme : kSchemes) {
    if (scheme.name == name) return &scheme;
  }
  return nullptr;
}

const RemoteScheme* FindRemoteScheme(absl::string_view name) {
  for (const RemoteScheme& scheme : kRemoteSchemes) {
    if (scheme.name == name) return &scheme;
  }
  return nullptr;
}

}  // namespace quantry
