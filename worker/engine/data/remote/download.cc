#include "worker/engine/data/remote/download.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files.h"
#include "common/status_macros.h"
#include "worker/engine/data/remote/request_with_retries.h"

namespace quantry::engine {
namespace {

// "bytes 100-199/1000" as {100, 1000}; the total is absent where it says "*".
struct ContentRange {
  int64_t first = 0;
  std::optional<int64_t> total;
};

std::optional<ContentRange> ParseContentRange(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "bytes ")) return std::nullopt;
  const std::vector<absl::string_view> halves = absl::StrSplit(text, '/');
  if (halves.size() != 2) return std::nullopt;
  ContentRange range;
  int64_t total = 0;
  if (!absl::SimpleAtoi(halves[0].substr(0, halves[0].find('-')), &range.first)) return std::nullopt;
  if (halves[1] == "*") return range;
  if (!absl::SimpleAtoi(halves[1], &total)) return std::nullopt;
  range.total = total;
  return range;
}

StoredObject VersionOf(const RemoteObject& object, const HttpResponse& response) {
  return {.uri = object.uri,
          .etag = response.Header("etag"),
          .last_modified = response.Header("last-modified")};
}

// The file that grows, over several requests.
class GrowingFile {
 public:
  GrowingFile(const RemoteObject& object, const DownloadPlan& plan)
      : object_(object), plan_(plan) {}
  ~GrowingFile() {
    if (fd_ >= 0) close(fd_);
  }
  GrowingFile(const GrowingFile&) = delete;
  GrowingFile& operator=(const GrowingFile&) = delete;

  absl::Status Open() {
    fd_ = open(plan_.file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) return ErrnoToStatus(errno, absl::StrCat("cannot open ", plan_.file.string()));
    struct stat info;
    if (fstat(fd_, &info) != 0) return ErrnoToStatus(errno, plan_.file.string());
    const std::optional<StoredObject> notes = ReadStoredObject(plan_.notes);
    if (!notes || notes->uri != object_.uri || notes->Validator().empty() || !notes->size ||
        info.st_size >= *notes->size) {
      return StartOver();
    }
    version_ = *notes;
    size_ = info.st_size;
    return absl::OkStatus();
  }

  absl::Status StartOver() {
    version_ = {};
    size_ = 0;
    if (ftruncate(fd_, 0) == 0) return absl::OkStatus();
    return ErrnoToStatus(errno, absl::StrCat("cannot truncate ", plan_.file.string()));
  }

  // What is asked for: the whole, or the rest of what is there.
  HttpRequest Request() {
    HttpRequest request = object_.request;
    const bool resumes = size_ > 0 && version_.size && !version_.Validator().empty();
    conditional_ = false;
    if (resumes) {
      request.headers.push_back(absl::StrCat("Range: bytes=", size_, "-"));
      request.headers.push_back(absl::StrCat("If-Range: ", version_.Validator()));
    } else if (plan_.known && !plan_.known->etag.empty()) {
      conditional_ = true;
      request.headers.push_back(absl::StrCat("If-None-Match: ", plan_.known->etag));
    } else if (plan_.known && !plan_.known->last_modified.empty()) {
      conditional_ = true;
      request.headers.push_back(absl::StrCat("If-Modified-Since: ", plan_.known->last_modified));
    }
    return request;
  }

  // A 2xx response begins.
  absl::Status Begin(const HttpResponse& response) {
    StoredObject version = VersionOf(object_, response);
    if (response.status == 206) return GoOn(response, version);
    if (response.status != 200) {
      return absl::InvalidArgumentError(
          absl::StrCat("HTTP status ", response.status, " instead of 200; check the address"));
    }
    if (!response.Header("content-encoding").empty() &&
        response.Header("content-encoding") != "identity") {
      return absl::InvalidArgumentError(absl::StrCat(
          "the server sends it with Content-Encoding ",
          response.Header("content-encoding").substr(0, 40), ", which it was not asked for"));
    }
    QUANTRY_RETURN_IF_ERROR(StartOver());
    int64_t length = 0;
    if (absl::SimpleAtoi(response.Header("content-length"), &length)) version.size = length;
    version_ = std::move(version);
    admitted_ = 0;
    if (version_.size) QUANTRY_RETURN_IF_ERROR(Admit(*version_.size));
    return WriteStoredObject(version_, plan_.notes);
  }

  absl::Status Append(absl::string_view piece) {
    const int64_t end = size_ + static_cast<int64_t>(piece.size());
    if (end > admitted_) QUANTRY_RETURN_IF_ERROR(Admit(end));
    while (!piece.empty()) {
      const ssize_t count = pwrite(fd_, piece.data(), piece.size(), size_);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return ErrnoToStatus(errno, absl::StrCat("cannot write ", plan_.file.string()));
      piece.remove_prefix(count);
      size_ += count;
    }
    received_ = std::max(received_, size_);
    if (plan_.progress) plan_.progress(size_, version_.size.value_or(0));
    return absl::OkStatus();
  }

  absl::Status CheckComplete() {
    if (!version_.size) version_.size = size_;
    if (size_ == *version_.size) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("it ended after ", size_, " of ", *version_.size, " bytes"));
  }

  bool conditional() const { return conditional_; }  // of the last Request
  int64_t received() const { return received_; }  // the furthest so far
  int64_t size() const { return size_; }
  const StoredObject& version() const { return version_; }

 private:
  absl::Status GoOn(const HttpResponse& response, const StoredObject& version) {
    const auto range = ParseContentRange(response.Header("content-range"));
    const bool same = range && range->first == size_ && size_ > 0 &&
                      (!range->total || range->total == version_.size) &&
                      version.etag == version_.etag;
    if (same) {
      admitted_ = 0;
      return Admit(*version_.size);
    }
    QUANTRY_RETURN_IF_ERROR(StartOver());
    return absl::UnavailableError("the server sent another part than it was asked for");
  }

  absl::Status Admit(int64_t bytes) {
    admitted_ = bytes;
    return plan_.admit ? plan_.admit(bytes) : absl::OkStatus();
  }

  const RemoteObject& object_;
  const DownloadPlan& plan_;
  int fd_ = -1;
  StoredObject version_;  // of what is in the file
  int64_t size_ = 0;      // of what is in the file
  int64_t admitted_ = 0;
  bool conditional_ = false;
  int64_t received_ = 0;
};

absl::Status RequestOnce(const RemoteObject& object, GrowingFile& file, HttpClient& client,
                         bool* unchanged) {
  const int64_t before = file.size();
  const auto response = client.Get(
      file.Request(), [&file](const HttpResponse& head) { return file.Begin(head); },
      [&file](absl::string_view piece) { return file.Append(piece); });
  if (absl::IsUnavailable(response.status()) && file.version().size && file.size() > 0) {
    return absl::UnavailableError(absl::StrCat(response.status().message(), " (after ",
                                               file.size(), " of ", *file.version().size,
                                               " bytes)"));
  }
  if (!response.ok()) return response.status();
  *unchanged = response->status == 304 && file.conditional();
  if (*unchanged) return absl::OkStatus();
  if (response->status == 416 && before > 0) {
    const std::string what =
        absl::StrCat("the server has no more of it after ", before, " of ",
                     file.version().size.value_or(0), " bytes");
    QUANTRY_RETURN_IF_ERROR(file.StartOver());
    return absl::UnavailableError(what);
  }
  if (!response->Succeeded()) return ErrorOfResponse(*response, object.is_s3);
  return file.CheckComplete();
}

}  // namespace

absl::StatusOr<std::optional<StoredObject>> Download(const RemoteObject& object,
                                                     const DownloadPlan& plan,
                                                     const RemoteOptions& options,
                                                     HttpClient& client) {
  GrowingFile file(object, plan);
  QUANTRY_RETURN_IF_ERROR(file.Open());
  bool unchanged = false;
  QUANTRY_RETURN_IF_ERROR(WithRetries(
      options, object.uri, [&file] { return file.received(); },
      [&] { return RequestOnce(object, file, client, &unchanged); }));
  if (unchanged) return std::optional<StoredObject>();
  return std::optional<StoredObject>(file.version());
}

}  // namespace quantry::engine
