#include "worker/engine/data/remote/stored_object.h"

#include "absl/strings/match.h"
#include "common/files.h"
#include "nlohmann/json.hpp"

namespace quantry::engine {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxFileBytes = 65536;

}  // namespace

std::string StoredObject::Validator() const {
  if (!etag.empty() && !absl::StartsWith(etag, "W/")) return etag;
  return last_modified;
}

std::optional<StoredObject> ReadStoredObject(const std::filesystem::path& file) {
  const absl::StatusOr<std::string> text = ReadFile(file, kMaxFileBytes);
  if (!text.ok()) return std::nullopt;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  StoredObject object;
  const std::pair<const char*, std::string*> texts[] = {{"uri", &object.uri},
                                                        {"etag", &object.etag},
                                                        {"last_modified", &object.last_modified},
                                                        {"sha256", &object.sha256}};
  for (const auto& [key, target] : texts) {
    if (!json.contains(key) || !json[key].is_string()) return std::nullopt;
    *target = json[key].get<std::string>();
  }
  if (json.contains("size") && json["size"].is_number_integer()) {
    object.size = json["size"].get<int64_t>();
  }
  return object;
}

absl::Status WriteStoredObject(const StoredObject& object, const std::filesystem::path& file) {
  Json json = {{"uri", object.uri},
               {"etag", object.etag},
               {"last_modified", object.last_modified},
               {"sha256", object.sha256}};
  if (object.size) json["size"] = *object.size;
  // Headers may hold any bytes.
  return WriteFileAtomically(
      file, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace quantry::engine
