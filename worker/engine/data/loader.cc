#include "worker/engine/data/loader.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <opencv2/core/utility.hpp>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "common/status_macros.h"
#include "worker/engine/data/epoch_order.h"
#include "worker/engine/data/pending_batch.h"
#include "worker/engine/data/transform.h"

namespace quantry::engine {
namespace {

constexpr int64_t kMaxDatasetSize = (int64_t{1} << 31) - 1;  // of CounterRng::Below
constexpr int64_t kNamedInError = 5;
constexpr size_t kNamedInReport = 20;
constexpr absl::string_view kCorruptPayload = "quantry/too_corrupt";

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

absl::string_view NounOf(const Dataset& dataset) {
  return dataset.arrays().empty() ? "pictures" : "examples";
}

// Rows that a thread takes at a time: enough of them for every thread, few lock operations.
int64_t RowsPerTurn(const LoaderOptions& options) {
  return std::clamp<int64_t>(options.batch_size / (2 * options.decode_threads), 1, 16);
}

}  // namespace

// The consumer (the Loader's caller) opens batches in order, at most `prefetch` at a time; the
// threads take rows of the oldest batch that has any left. A batch dropped by StartEpoch lives
// until the threads that write to it are done.
class Loader::Impl {
 public:
  Impl(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
      : dataset_(std::move(dataset)),
        options_(options),
        transform_(options),
        examples_(ChooseExamples(dataset_->size(), options)) {}
  ~Impl();

  absl::Status StartThreads();
  absl::Status StartEpoch(int64_t epoch, int64_t first_batch, Shard shard);
  absl::StatusOr<std::optional<Batch>> Next();

  int64_t num_examples() const { return static_cast<int64_t>(examples_.size()); }
  int64_t num_batches() const {
    const int64_t round_up = options_.drop_last ? 0 : options_.batch_size - 1;
    return (num_examples() + round_up) / options_.batch_size;
  }
  const std::map<int64_t, std::string>& corrupt() const { return corrupt_; }
  const Dataset& dataset() const { return *dataset_; }
  LoaderStats Stats();

 private:
  using Queue = std::deque<std::shared_ptr<PendingBatch>>;

  void Work();
  absl::StatusOr<std::optional<Batch>> WaitForBatch();
  Queue::iterator FirstWithRows() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status OpenBatches();
  absl::Status CheckCorruption() const;

  const std::shared_ptr<const Dataset> dataset_;
  const LoaderOptions options_;
  const Transform transform_;
  const std::vector<int64_t> examples_;

  // Of the consumer alone.
  bool started_ = false;
  absl::Status failure_;
  int64_t epoch_ = 0;
  int64_t next_batch_ = 0;  // to open
  Shard shard_;
  std::vector<int64_t> order_;
  std::map<int64_t, std::string> corrupt_;  // example -> reason
  double wait_seconds_ = 0.0;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Queue open_ ABSL_GUARDED_BY(mutex_);           // oldest first
  int64_t decoded_ ABSL_GUARDED_BY(mutex_) = 0;  // rows, dropped ones included
  double decode_seconds_ ABSL_GUARDED_BY(mutex_) = 0.0;

  std::vector<std::thread> threads_;
};

Loader::Impl::~Impl() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

absl::Status Loader::Impl::StartThreads() {
  try {
    for (int i = 0; i < options_.decode_threads; ++i) threads_.emplace_back([this] { Work(); });
  } catch (const std::exception& e) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start ", options_.decode_threads, " decoding threads: ", e.what()));
  }
  return absl::OkStatus();
}

Loader::Impl::Queue::iterator Loader::Impl::FirstWithRows() {
  return std::find_if(open_.begin(), open_.end(), [](const std::shared_ptr<PendingBatch>& batch) {
    return batch->next_row < batch->rows();
  });
}

void Loader::Impl::Work() {
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || FirstWithRows() != open_.end();
  };
  const int64_t turn = RowsPerTurn(options_);
  absl::MutexLock lock(&mutex_);
  while (true) {
    mutex_.Await(absl::Condition(&has_work));
    if (stopping_) return;
    const std::shared_ptr<PendingBatch> batch = *FirstWithRows();
    const int64_t begin = batch->next_row;
    const int64_t end = std::min(batch->rows(), begin + turn);
    batch->next_row = end;
    mutex_.Unlock();
    const Clock::time_point start = Clock::now();
    for (int64_t row = begin; row < end; ++row) {
      batch->DecodeRow(row, *dataset_, transform_, options_);
    }
    const double seconds = SecondsSince(start);
    mutex_.Lock();
    decoded_ += end - begin;
    decode_seconds_ += seconds;
    batch->rows_done += end - begin;
  }
}

absl::Status Loader::Impl::OpenBatches() {
  const auto is_full = [this] {
    absl::MutexLock lock(&mutex_);
    return open_.size() >= static_cast<size_t>(options_.prefetch);
  };
  while (next_batch_ < num_batches() && !is_full()) {
    const int64_t first = next_batch_ * options_.batch_size;
    const int64_t rows = std::min(num_examples() - first, options_.batch_size);
    const int64_t begin = first + rows * shard_.index / shard_.count;
    const int64_t end = first + rows * (shard_.index + 1) / shard_.count;
    QUANTRY_ASSIGN_OR_RETURN(
        std::shared_ptr<PendingBatch> batch,
        PendingBatch::Create(next_batch_, epoch_,
                             std::vector<int64_t>(order_.begin() + begin, order_.begin() + end),
                             *dataset_, options_));
    ++next_batch_;
    absl::MutexLock lock(&mutex_);
    open_.push_back(std::move(batch));
  }
  return absl::OkStatus();
}

absl::Status Loader::Impl::StartEpoch(int64_t epoch, int64_t first_batch, Shard shard) {
  if (epoch < 0 || first_batch < 0 || first_batch > num_batches()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot start at batch ", first_batch,
                                                   " of epoch ", epoch, "; an epoch has ",
                                                   num_batches(), " batches"));
  }
  if (shard.index < 0 || shard.index >= shard.count) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no part ", shard.index, " of ", shard.count, " of a batch"));
  }
  {
    absl::MutexLock lock(&mutex_);
    open_.clear();
  }
  shard_ = shard;
  started_ = true;
  epoch_ = epoch;
  next_batch_ = first_batch;
  order_ = OrderOfEpoch(examples_, epoch, options_);
  failure_ = OpenBatches();
  return failure_;
}

absl::StatusOr<std::optional<Batch>> Loader::Impl::Next() {
  const Clock::time_point start = Clock::now();
  absl::StatusOr<std::optional<Batch>> batch = WaitForBatch();
  wait_seconds_ += SecondsSince(start);
  return batch;
}

LoaderStats Loader::Impl::Stats() {
  absl::MutexLock lock(&mutex_);
  return {.examples = decoded_,
          .decode_seconds = decode_seconds_,
          .wait_seconds = wait_seconds_,
          .threads = options_.decode_threads};
}

absl::StatusOr<std::optional<Batch>> Loader::Impl::WaitForBatch() {
  if (!started_) return absl::FailedPreconditionError("Loader::StartEpoch comes before Next");
  while (failure_.ok()) {
    std::shared_ptr<PendingBatch> oldest;
    const auto is_ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return open_.empty() || open_.front()->rows_done == open_.front()->rows();
    };
    {
      absl::MutexLock lock(&mutex_, absl::Condition(&is_ready));
      if (open_.empty()) return std::nullopt;
      oldest = std::move(open_.front());
      open_.pop_front();
    }
    failure_ = OpenBatches();
    if (!failure_.ok()) break;
    absl::StatusOr<Batch> batch = oldest->Finish(options_, &corrupt_);
    failure_ = batch.ok() ? CheckCorruption() : batch.status();
    if (failure_.ok() && (shard_.count > 1 || batch->size() > 0)) return *std::move(batch);
  }
  return failure_;
}

absl::Status Loader::Impl::CheckCorruption() const {
  const auto count = static_cast<int64_t>(corrupt_.size());
  // A process that sees one part of every batch takes the others to be like it.
  const double share =
      static_cast<double>(count * shard_.count) / static_cast<double>(num_examples());
  if (share <= options_.max_corrupt_fraction && count < num_examples()) return absl::OkStatus();
  std::vector<absl::string_view> first;
  for (const auto& [example, reason] : corrupt_) {
    if (static_cast<int64_t>(first.size()) < kNamedInError) first.push_back(reason);
  }
  absl::Status status = absl::InvalidArgumentError(absl::StrCat(
      "too many corrupt ", NounOf(*dataset_), ": at least ", count, " of ", num_examples(),
      " can't be read, ", options_.max_corrupt_fraction * 100,
      " % are allowed (max_corrupt_share); repair or remove them: ", absl::StrJoin(first, "; "),
      count > kNamedInError ? "; ..." : ""));
  status.SetPayload(kCorruptPayload, absl::Cord("1"));
  return status;
}

bool IsTooCorrupt(const absl::Status& status) {
  return status.GetPayload(kCorruptPayload).has_value();
}

namespace {

// What can't be done with what the dataset holds.
absl::Status CheckFits(const Dataset& dataset, const LoaderOptions& options) {
  const size_t arrays = dataset.arrays().size();
  for (const ArrayInput& input : options.arrays) {
    if (input.array < arrays) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("there is no array ", input.array, "; the dataset has ", arrays));
  }
  const AugmentOptions& augment = options.augment;
  const bool varies = options.random_crop || options.random_flip || augment.changes_colours() ||
                      augment.random_erasing > 0 || augment.resized_crop_min_area.has_value();
  if (arrays == 0 || !varies) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the dataset holds arrays, which are not augmented; leave out random_crop, random_flip and "
      "augmentation");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Loader>> Loader::Create(std::shared_ptr<const Dataset> dataset,
                                                       const LoaderOptions& options) {
  QUANTRY_RETURN_IF_ERROR(options.Validate());
  QUANTRY_RETURN_IF_ERROR(CheckFits(*dataset, options));
  if (dataset->size() > kMaxDatasetSize) {
    return absl::InvalidArgumentError(absl::StrCat("the dataset has ", dataset->size(),
                                                   " examples; allowed: up to ", kMaxDatasetSize));
  }
  cv::setNumThreads(1);  // the loader's threads are the parallelism; OpenCV's own would add to them
  auto impl = std::make_unique<Impl>(std::move(dataset), options);
  if (impl->num_batches() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "data option batch_size is ", options.batch_size, ", more than the ", impl->num_examples(),
        " examples used, and the last incomplete batch is left out; lower batch_size"));
  }
  QUANTRY_RETURN_IF_ERROR(impl->StartThreads());
  return std::unique_ptr<Loader>(new Loader(std::move(impl)));
}

Loader::Loader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Loader::~Loader() = default;

int64_t Loader::num_examples() const { return impl_->num_examples(); }
int64_t Loader::num_batches() const { return impl_->num_batches(); }
const Dataset& Loader::dataset() const { return impl_->dataset(); }
LoaderStats Loader::Stats() const { return impl_->Stats(); }
int64_t Loader::num_corrupt() const { return static_cast<int64_t>(impl_->corrupt().size()); }

absl::Status Loader::StartEpoch(int64_t epoch, int64_t first_batch, Shard shard) {
  return impl_->StartEpoch(epoch, first_batch, shard);
}

absl::StatusOr<std::optional<Batch>> Loader::Next() { return impl_->Next(); }

std::vector<std::string> Loader::CorruptPictures() const {
  std::vector<std::string> pictures;
  for (const auto& [example, reason] : impl_->corrupt()) {
    if (pictures.size() < kNamedInReport) pictures.push_back(reason);
  }
  return pictures;
}

}  // namespace quantry::engine
