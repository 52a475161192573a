#include "worker/engine/data/remote/remote_object.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "worker/engine/data/remote/request_with_retries.h"
#include "worker/engine/data/remote/s3_endpoint.h"
#include "worker/engine/data/remote/s3_listing.h"

namespace quantry::engine {
namespace {

constexpr size_t kMaxListingBytes = size_t{16} << 20;  // of a page; S3 has up to 1000 objects on one
constexpr size_t kMaxObjects = 100'000;

RemoteObject MakeObject(const RemoteLocation& location, const std::string& path) {
  RemoteLocation place = location;
  place.path = path;
  return {.uri = place.ToString(), .name = place.name(), .is_s3 = location.scheme == "s3"};
}

// A page of the listing: its text.
absl::StatusOr<std::string> FetchPage(const HttpRequest& request, HttpClient& client) {
  std::string page;
  const auto response = client.Get(
      request, [](const HttpResponse&) { return absl::OkStatus(); },
      [&page](absl::string_view piece) {
        if (page.size() + piece.size() > kMaxListingBytes) {
          return absl::InvalidArgumentError(absl::StrCat(
              "a page of the listing is larger than ", kMaxListingBytes, " bytes"));
        }
        absl::StrAppend(&page, piece);
        return absl::OkStatus();
      });
  if (!response.ok()) return response.status();
  if (!response->Succeeded()) return ErrorOfResponse(*response, true);
  return page;
}

}  // namespace

absl::StatusOr<std::vector<RemoteObject>> ObjectsAt(const RemoteLocation& location,
                                                    const std::vector<std::string>& paths,
                                                    const RemoteOptions& options) {
  std::optional<S3Endpoint> endpoint;
  if (location.scheme == "s3") {
    QUANTRY_ASSIGN_OR_RETURN(endpoint, S3Endpoint::FromEnvironment(options));
  }
  std::vector<RemoteObject> objects;
  for (const std::string& path : paths) {
    RemoteObject object = MakeObject(location, path);
    if (endpoint) {
      object.request = endpoint->GetObject(location.authority, path.substr(1));
    } else {
      object.request.url =
          absl::StrCat(location.scheme, "://", location.authority, EncodePath(path));
    }
    objects.push_back(std::move(object));
  }
  return objects;
}

absl::StatusOr<std::vector<RemoteObject>> ListObjects(const RemoteLocation& location,
                                                      absl::Span<const absl::string_view> endings,
                                                      const RemoteOptions& options,
                                                      HttpClient& client) {
  QUANTRY_ASSIGN_OR_RETURN(const S3Endpoint endpoint, S3Endpoint::FromEnvironment(options));
  const std::string prefix = location.path.substr(1);
  std::vector<RemoteObject> objects;
  S3Page page;
  do {
    const HttpRequest request =
        endpoint.ListObjects(location.authority, prefix, page.continuation_token);
    QUANTRY_RETURN_IF_ERROR(WithRetries(
        options, location.ToString(), [] { return 0; }, [&]() -> absl::Status {
          QUANTRY_ASSIGN_OR_RETURN(const std::string text, FetchPage(request, client));
          QUANTRY_ASSIGN_OR_RETURN(page, ParseS3Page(text));
          return absl::OkStatus();
        }));
    for (const std::string& key : page.keys) {
      const std::string name = key.substr(std::min(prefix.size(), key.size()));
      const bool fits = absl::StartsWith(key, prefix) && !absl::StrContains(name, '/') &&
                        std::any_of(endings.begin(), endings.end(), [&](absl::string_view ending) {
                          return absl::EndsWith(name, ending);
                        });
      if (!fits) continue;
      objects.push_back(MakeObject(location, absl::StrCat("/", key)));
      objects.back().request = endpoint.GetObject(location.authority, key);
    }
    if (objects.size() > kMaxObjects) {
      return absl::InvalidArgumentError(absl::StrCat(location.ToString(), " holds more than ",
                                                     kMaxObjects, " objects; pack them in larger "
                                                     "ones, or name a range of them"));
    }
  } while (!page.continuation_token.empty());
  if (objects.empty()) {
    return absl::NotFoundError(absl::StrCat(location.ToString(), " has no objects named *",
                                            absl::StrJoin(endings, ", *"),
                                            " directly below it; check bucket and prefix"));
  }
  std::sort(objects.begin(), objects.end(),
            [](const RemoteObject& a, const RemoteObject& b) { return a.name < b.name; });
  return objects;
}

}  // namespace quantry::engine
